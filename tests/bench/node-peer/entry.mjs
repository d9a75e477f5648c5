// An entry as `components/shared/cache/src/entry/envelope.rs` stores it: format 3, with a checksum.
const CHECKED = 3;
const MAGIC = "RT";
// Where the parts of the header are.
const FORMAT = 2;
const CHECKSUM = 3;
const EPOCH = 11;
const VERSION = 19;
const KIND = 27;
const NAME_LENGTH = 28;
const NOTE_LENGTH = 30;
const NAME = 31;

// Opens bytes that were stored under `name` in `epoch`; undefined when they are damaged, misplaced or outdated. `checksum` is XXH64.
export function open(bytes, name, epoch, checksum) {
  if (bytes.length < NAME || bytes.latin1Slice(0, FORMAT) !== MAGIC || bytes[FORMAT] !== CHECKED) return undefined;
  if (checksum(bytes.subarray(EPOCH)) !== bytes.readBigUInt64LE(CHECKSUM)) return undefined;
  const end = NAME + bytes.readUInt16LE(NAME_LENGTH);
  if (bytes.utf8Slice(NAME, end) !== name || bytes.readBigUInt64LE(EPOCH) !== epoch || bytes[KIND] !== 1) return undefined;
  return { version: bytes.readBigUInt64LE(VERSION), body: bytes.subarray(end + bytes[NOTE_LENGTH]) };
}
