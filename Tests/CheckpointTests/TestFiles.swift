import Checkpoint
import Foundation
import Glibc
import SafeFiles
import TestSupport
import Testing

/// A fixture of this target.
func fixture(_ name: String) -> URL { Fixtures.url("checkpoint/\(name)") }

/// The bytes of a fixture.
func fixtureBytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: fixture(name))) }

/// A mapped file of these bytes. Its last byte is the last of a page, and an inaccessible page follows: a
/// read beyond the end kills the test run instead of going unnoticed.
func guardedFile(_ bytes: some Collection<UInt8>) throws -> MappedFile {
  let page = Int(getpagesize())
  let pages = (bytes.count + page - 1) / page
  let length = (pages + 1) * page
  let address = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  let base = try #require(address == MAP_FAILED ? nil : address)
  let offset = pages * page - bytes.count
  UnsafeMutableRawBufferPointer(start: base + offset, count: bytes.count).copyBytes(from: bytes)
  try #require(mprotect(base + pages * page, page, PROT_NONE) == 0)
  let view = UnsafeRawBufferPointer(start: UnsafeRawPointer(base) + offset, count: bytes.count)
  return MappedFile(adopting: view, path: "test.bin") { view in
    guard let start = view.baseAddress else { return }
    munmap(UnsafeMutableRawPointer(mutating: start - offset), length)
  }
}

/// A small seeded generator (xorshift64*) for damaged files and random values.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }
}

/// Copies of `bytes` with one to four random bytes of `range` changed.
func damaged(
  _ bytes: [UInt8], within range: Range<Int>, count: Int, seed: UInt64, _ body: ([UInt8]) throws -> Void
) rethrows {
  var generator = SeededGenerator(seed)
  let special: [UInt8] = [0, 1, 0x7f, 0x80, 0xff]
  for _ in 0..<count {
    var copy = bytes
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let offset = Int.random(in: range, using: &generator)
      let value =
        Bool.random(using: &generator)
        ? special.randomElement(using: &generator) ?? 0 : UInt8.random(in: 0...255, using: &generator)
      copy[offset] = value
    }
    try body(copy)
  }
}

/// Whether two floats have the same bits, or are both NaN.
func same(_ left: Float, _ right: Float) -> Bool {
  left.bitPattern == right.bitPattern || (left.isNaN && right.isNaN)
}

/// All rows of a tensor as float32.
func values(_ file: GGUFFile, _ name: String) throws -> [Float] {
  let tensor = try #require(file.tensor(name))
  var result = [Float](repeating: 0, count: tensor.count)
  try result.withUnsafeMutableBufferPointer { buffer in
    try file.dequantize(tensor, rows: 0..<tensor.rowCount, into: #require(buffer.baseAddress))
  }
  return result
}

/// The error that `body` throws. Records a test issue if it throws none, or another kind of error.
func fileError(_ body: () throws -> Void) -> FileError? {
  #expect(throws: FileError.self) { try body() }
}
