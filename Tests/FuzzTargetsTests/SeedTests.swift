import Foundation
import FuzzTargets
import TestSupport
import Testing

/// The fuzzers' seeds and the inputs that were once faults, without libFuzzer.
@Suite struct SeedTests {
  private static let files: [(FuzzTarget, URL)] = FuzzTarget.allCases.flatMap { target in
    let folder = Fixtures.url("fuzz/\(target.rawValue)")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().map { (target, folder.appendingPathComponent($0)) }
  }

  @Test(arguments: FuzzTarget.allCases)
  func everyTargetHasSeeds(_ target: FuzzTarget) {
    #expect(Self.files.contains { $0.0 == target })
  }

  /// Changes of the length, of the first bytes and of all bytes, of many messages of a training.
  @Test(arguments: 0..<3, [[0x80, 3, 0], [0x01, 0xFF, 0xFF, 0x7F], [0x02, 2, 0]] as [[UInt8]])
  func changedMessagesAreRefused(_ rank: Int, _ change: [UInt8]) {
    for number in stride(from: 0, to: 66, by: 3) {
      FuzzTarget.messages.run([UInt8(rank), UInt8(number), 0] + change)
    }
  }

  @Test(arguments: files)
  func isAcceptedOrRefused(_ target: FuzzTarget, _ file: URL) throws {
    target.run([UInt8](try Data(contentsOf: file)))
  }
}
