import Foundation
import TestSupport
import Testing

@Suite("Help pages") struct HelpTests {
  /// The paths of all commands, found in the help pages.
  private static func commands(below path: [String] = []) throws -> [[String]] {
    let page = try Program.run(path + ["--help"]).output
    var found = [path]
    guard let list = page.range(of: "SUBCOMMANDS:\n") else { return found }
    for line in page[list.upperBound...].split(separator: "\n", omittingEmptySubsequences: false) {
      guard !line.isEmpty else { break }
      // A command's name is indented by two columns, continuation lines by more.
      guard line.hasPrefix("  "), let name = line.dropFirst(2).split(separator: " ").first,
        line.dropFirst(2).hasPrefix(name)
      else { continue }
      found += try commands(below: path + [String(name)])
    }
    return found
  }

  @Test func everyCommandHasItsPage() throws {
    let commands = try Self.commands()
    #expect(commands.count >= 10)
    for path in commands {
      let page = try Program.run(path + ["--help"])
      #expect(page.status == 0 && page.errors.isEmpty, "\(path)")
      try Snapshot.check(page.output, (["help"] + path).joined(separator: "-"))
      if !page.output.contains("SUBCOMMANDS:") {
        #expect(page.output.contains("\nEXAMPLE\n  contexture "), "\(path)")
        #expect(page.output.contains("\nEXIT CODES\n"), "\(path)")
      }
      // A wrapped line continues at the margin, and is no longer a valid command.
      let parts = page.output.split(separator: "\nEXAMPLE\n", maxSplits: 1)
      let examples = parts.count > 1 ? parts[1].split(separator: "\n", omittingEmptySubsequences: false) : []
      for line in examples.prefix(while: { !$0.isEmpty }) {
        #expect(line.hasPrefix("  "), "\(path): an example is wider than 80 columns before '\(line)'")
      }
    }
  }

  @Test func version() throws {
    let outcome = try Program.run(["--version"])
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    #expect(outcome.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
  }
}
