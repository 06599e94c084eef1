import Foundation
import InputErrors
import TestSupport
import Testing
import Transport

@Suite struct LinkTableTests {
  private func read(_ text: String) throws -> LinkTable {
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent("links.json")
      try Data(text.utf8).write(to: file)
      return try LinkTable(contentsOf: file.path)
    }
  }

  @Test func aRankFindsTheLinksThatLeaveIt() throws {
    let table = try read(
      """
      {"sharedUplink": true, "links": [
        {"from": 0, "to": 1, "bandwidth": 10, "latency": 0.5}, {"from": 1, "to": 0, "latency": 2}]}
      """)
    var first = table.outgoing(from: 0)
    #expect([1, 1].map { first.arrival(of: 10, to: $0, now: 0) } == [1.5, 2.5])
    var second = table.outgoing(from: 1)
    #expect(second.arrival(of: 1 << 40, to: 0, now: 0) == 2)
    #expect(second.arrival(of: 1 << 40, to: 2, now: 0) == 0)
  }

  @Test(arguments: [
    ("{}", "is not a table of links; write {"),
    (
      #"{"sharedUplink": true, "links": [{"from": 0, "to": 1, "bandwidth": 0, "latency": 0}]}"#,
      "links.0: bandwidth must be above 0 and latency 0 or more; use bytes per second and seconds"
    ),
  ]) func badTablesAreRefused(text: String, message: String) {
    let error = #expect(throws: Refusal.self) { try read(text) }
    #expect(error?.description.contains("links.json: \(message)") == true)
  }

  @Test func aTableThatIsNotThere() {
    let error = #expect(throws: Refusal.self) { try LinkTable(contentsOf: "/no/links.json") }
    #expect(
      error?.description == "/no/links.json: cannot be read; check the path that CONTEXTURE_LINKS names")
  }
}
