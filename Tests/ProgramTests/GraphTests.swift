import Foundation
import TestSupport
import Testing

@Suite("contexture graph") struct GraphTests {
  private static let file = "Fixtures/snapshots/diamond.yaml"

  @Test(arguments: ["text", "mermaid", "dot", "json"])
  func formats(_ format: String) throws {
    let outcome = try Program.run(["graph", Self.file, "--format", format])
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    try Snapshot.check(outcome.output, "graph-\(format)")
    if format == "json" {
      let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      #expect(object?["rank"] as? Int == 16)
    }
  }

  @Test func valuesCanBeSet() throws {
    let outcome = try Program.run([
      "graph", Self.file, "--set", "training.frozenRatio=1", "--set", "training.prerequisites=direct",
    ])
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    try Snapshot.check(outcome.output, "graph-set")
  }

  @Test func theExampleIsValid() throws {
    #expect(try Program.run(["graph", "Examples/iov.yaml"]).status == 0)
  }

  @Test func outputThatCannotBeWrittenIsSaid() throws {
    let outcome = try Program.run(["graph", Self.file], output: "/dev/full")
    #expect(outcome.status == 2)
    #expect(
      outcome.errors
        == "contexture: standard output: cannot be written (No space left on device); "
        + "check where it goes, and the free space\n")
  }

  @Test func aReaderThatGoesAwayEndsItQuietly() throws {
    // The pipe's reader ends at once; the program is started after that.
    let outcome = try Program.run(
      ["model", "inspect", "Fixtures/checkpoint/tiny-llama"],
      shell: "exec 3>&2; { sleep 0.3; cd \"$1\"; shift; \"$@\" 2>&3; echo $? >&3; } | : ; exit 0")
    #expect(outcome.status == 0)
    #expect(outcome.errors == "0\n")
  }
}
