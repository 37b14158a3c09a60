/** A processor that the filter of system calls knows: how the kernel calls it, and its numbers of calls. */
export interface CallNumbers {
  /** `AUDIT_ARCH_…` of linux/audit.h. */
  readonly architecture: number;
  readonly seccomp: number;
  readonly clone: number;
  readonly socket: number;
  readonly socketpair: number;
  /** By name, those that no worker needs. */
  readonly refused: Readonly<Record<string, number>>;
}

/** The newest call that was looked at (`mseal`); newer ones are refused, whatever they will do. Numbers from 424 on are the same everywhere. */
export const NEWEST_CALL = 462;

/** `clone3` has its flags where a filter cannot look; C libraries fall back to `clone`. */
const EVERYWHERE = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  clone3: 435,
  pidfd_getfd: 438,
  process_madvise: 440,
  mount_setattr: 442,
  quotactl_fd: 443,
  statmount: 457,
  listmount: 458,
};

/**
 * What reaches into other processes, changes the machine or the view of its files, or has been the way into the kernel in the past. Everything else a
 * worker may call: what it can do with it is bounded by its namespaces. The keys are `process.arch`.
 */
export const CALL_NUMBERS: Readonly<Record<string, CallNumbers>> = {
  x64: {
    architecture: 0xc000003e,
    seccomp: 317,
    clone: 56,
    socket: 41,
    socketpair: 53,
    refused: {
      ptrace: 101,
      syslog: 103,
      uselib: 134,
      personality: 135,
      vhangup: 153,
      modify_ldt: 154,
      pivot_root: 155,
      _sysctl: 156,
      adjtimex: 159,
      chroot: 161,
      acct: 163,
      settimeofday: 164,
      mount: 165,
      umount2: 166,
      swapon: 167,
      swapoff: 168,
      reboot: 169,
      sethostname: 170,
      setdomainname: 171,
      iopl: 172,
      ioperm: 173,
      init_module: 175,
      delete_module: 176,
      quotactl: 179,
      nfsservctl: 180,
      lookup_dcookie: 212,
      clock_settime: 227,
      kexec_load: 246,
      add_key: 248,
      request_key: 249,
      keyctl: 250,
      unshare: 272,
      perf_event_open: 298,
      fanotify_init: 300,
      name_to_handle_at: 303,
      open_by_handle_at: 304,
      clock_adjtime: 305,
      setns: 308,
      process_vm_readv: 310,
      process_vm_writev: 311,
      kcmp: 312,
      finit_module: 313,
      kexec_file_load: 320,
      bpf: 321,
      userfaultfd: 323,
      ...EVERYWHERE,
    },
  },
  arm64: {
    architecture: 0xc00000b7,
    seccomp: 277,
    clone: 220,
    socket: 198,
    socketpair: 199,
    refused: {
      lookup_dcookie: 18,
      umount2: 39,
      mount: 40,
      pivot_root: 41,
      nfsservctl: 42,
      chroot: 51,
      vhangup: 58,
      quotactl: 60,
      acct: 89,
      personality: 92,
      unshare: 97,
      kexec_load: 104,
      init_module: 105,
      delete_module: 106,
      clock_settime: 112,
      syslog: 116,
      ptrace: 117,
      reboot: 142,
      sethostname: 161,
      setdomainname: 162,
      settimeofday: 170,
      adjtimex: 171,
      add_key: 217,
      request_key: 218,
      keyctl: 219,
      swapon: 224,
      swapoff: 225,
      perf_event_open: 241,
      fanotify_init: 262,
      name_to_handle_at: 264,
      open_by_handle_at: 265,
      clock_adjtime: 266,
      setns: 268,
      process_vm_readv: 270,
      process_vm_writev: 271,
      kcmp: 272,
      finit_module: 273,
      bpf: 280,
      userfaultfd: 282,
      kexec_file_load: 294,
      ...EVERYWHERE,
    },
  },
};
