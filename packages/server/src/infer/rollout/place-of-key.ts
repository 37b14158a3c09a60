/** Where a key stands between 0 and 1: the same key always at the same place, and what is below a share stays below a larger one. */
export function placeOfKey(salt: string, key: string): number {
  let hash = 0x811c9dc5;
  hash = mixed(hash, salt);
  // A key is no continuation of the salt.
  hash = Math.imul(hash ^ 0xff, 0x01000193);
  hash = mixed(hash, key);
  // FNV leaves neighbours near each other; MurmurHash's last steps do not.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

function mixed(start: number, text: string): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash;
}
