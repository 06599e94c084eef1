import Foundation
import TestSupport
import Testing

@Suite("contexture data") struct DataTests {
  @Test func makesTheSameFilesForTheSameSeed() throws {
    try Fixtures.withTemporaryDirectory { folder in
      func make(_ name: String, _ seed: String) throws -> [Data?] {
        let outcome = try Program.run(
          ["data", "make", "iov", "--episodes", "40", "--seed", seed, "--out", name], in: folder)
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.contains("\(name)/train.jsonl  32 episodes"))
        return ["train", "valid", "test"].map {
          FileManager.default.contents(atPath: folder.appendingPathComponent("\(name)/\($0).jsonl").path)
        }
      }
      let first = try make("deep/in/first", "7")
      #expect(first.allSatisfy { $0?.isEmpty == false })
      #expect(try make("second", "7") == first)
      #expect(try make("third", "8") != first)
    }
  }

  @Test func checksWhatItMade() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov").path
      #expect(try Program.run(["data", "make", "iov", "--episodes", "60", "--out", out]).status == 0)
      let table = try Program.run(["data", "check", out, "--workflow", "Examples/iov.yaml"])
      #expect(table.status == 0 && table.errors.isEmpty)
      #expect(table.output.contains("train 48, valid 6, test 6 episodes"))
      for task in ["perceive", "predict", "decide", "route"] {
        #expect(table.output.contains("\n\(task) "), "\(task)")
      }
      let json = try Program.run(
        ["data", "check", out, "--workflow", "Examples/iov.yaml", "--format", "json"])
      let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect((object?["episodes"] as? [String: Int])?["train"] == 48)
      #expect((object?["baselines"] as? [String: [Any]])?["tasks"]?.count == 4)
    }
  }

  @Test func tellsEveryLinesFirstMistake() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov")
      #expect(try Program.run(["data", "make", "iov", "--episodes", "60", "--out", out.path]).status == 0)
      let train = out.appendingPathComponent("train.jsonl")
      var lines = try String(contentsOf: train, encoding: .utf8).split(separator: "\n").map(String.init)
      lines[1] = "{"
      lines[4] = lines[3]
      try lines.joined(separator: "\n").write(to: train, atomically: true, encoding: .utf8)
      try "".write(to: out.appendingPathComponent("valid.jsonl"), atomically: true, encoding: .utf8)
      let outcome = try Program.run(["data", "check", out.path, "--workflow", "Examples/iov.yaml"])
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      let told = outcome.errors.split(separator: "\n").map(String.init)
      #expect(told.count == 3, "\(told)")
      for (line, part) in zip(
        told, ["train.jsonl:2: not JSON", "train.jsonl:5: id: ", "valid.jsonl: has no episodes"])
      {
        #expect(line.contains(part))
      }
    }
  }

  @Test func saysWhatTestSharesWithTrain() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov")
      #expect(try Program.run(["data", "make", "iov", "--episodes", "30", "--out", out.path]).status == 0)
      try FileManager.default.removeItem(at: out.appendingPathComponent("test.jsonl"))
      try FileManager.default.copyItem(
        at: out.appendingPathComponent("train.jsonl"), to: out.appendingPathComponent("test.jsonl"))
      let outcome = try Program.run(["data", "check", out.path, "--workflow", "Examples/iov.yaml"])
      #expect(outcome.output.contains("Note: 24 test episodes have the same inputs as a training episode"))
    }
  }

  @Test func aFailedWriteLeavesNothing() throws {
    try Fixtures.withTemporaryDirectory { folder in
      // A file size limit simulates a full disk.
      let outcome = try Program.run(
        ["data", "make", "iov", "--episodes", "1000", "--out", "new/iov"], in: folder,
        shell: "trap '' XFSZ; ulimit -f 64")
      #expect(outcome.status == 2)
      #expect(
        outcome.errors.hasPrefix("contexture: new/iov/train.jsonl: cannot write ")
          && outcome.errors.hasSuffix(
            "; the file system or a resource limit does not allow a file that large\n"),
        "\(outcome.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }
  }
}
