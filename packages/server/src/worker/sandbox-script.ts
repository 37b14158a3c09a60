/** Perl for `setpriv --seccomp-filter`, which util-linux has since 2.41; Debian's packages cannot be without Perl. `SECCOMP_SET_MODE_FILTER` is 1. */
const LOAD_FILTER = `
my ($seccomp, $path) = splice @ARGV, 0, 2;
open my $file, "<:raw", $path or die "$path: $!\n";
read $file, my $program, 65536;
close $file;
syscall($seccomp + 0, 1, 0, pack("S x6 P", length($program) / 8, $program)) == 0 or die "a filter of system calls: $!\n";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
`;

/**
 * What runs between `unshare` and a worker, in namespaces of its own: builds a root of what the arguments name, read-only, with a /tmp that nobody
 * else sees, goes into it, and gives up every privilege, that to make namespaces in which it would have some among them, and the system calls that a filter refuses. `$1`: an empty
 * folder; `$2`: who loads the filter (`setpriv`, `perl`, or nobody), `$3`: its bytes in octal, `$4`: the number of the call that loads it; then `dir PATH`, `file PATH`, `dev PATH` or `link PATH TARGET`, `--`,
 * and the worker's command. Its environment stays as it is. /proc is read-only, since a server that runs as root has the machine's settings there.
 */
export const SANDBOX_SCRIPT: string = `
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1; loader=$2; filter=$3; seccomp=$4; shift 4
mount -t tmpfs -o mode=0755,size=4m sandbox "$root"
mkdir -p "$root/tmp" "$root/proc" "$root/dev/shm" "$root/.old"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
echo 0 > "$root/proc/sys/user/max_user_namespaces"
mount -o remount,ro,nosuid,nodev,noexec "$root/proc"
while [ "$1" != -- ]; do
  kind=$1; path=$2; shift 2
  case $kind in
    link) mkdir -p "$root\${path%/*}"; ln -s "$1" "$root$path"; shift ;;
    dir) mkdir -p "$root$path"; mount --rbind "$path" "$root$path"; mount -o remount,bind,ro,nosuid "$root$path" ;;
    file) mkdir -p "$root\${path%/*}"; : > "$root$path"; mount --bind "$path" "$root$path"; mount -o remount,bind,ro,nosuid "$root$path" ;;
    dev) : > "$root$path"; mount --bind "$path" "$root$path" ;;
  esac
done
shift
[ -z "$loader" ] || printf "$filter" > "$root/.calls"
cd "$root"
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
mount -o remount,bind,ro /
ulimit -c 0
unset PWD OLDPWD
case $loader in
  setpriv) set -- --seccomp-filter /.calls -- "$@" ;;
  perl) set -- -- perl -e '${LOAD_FILTER}' "$seccomp" /.calls "$@" ;;
  *) set -- -- "$@" ;;
esac
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
`;
