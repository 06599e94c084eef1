import Foundation
import Testing
import TextTables

@Suite struct TerminalTextTests {
  @Test(arguments: [
    ("plain", "plain"), ("é – 東京 👍🏽\n\tb", "é – 東京 👍🏽\n\tb"), ("a\u{1B}[2Jb", "a\\u001b[2Jb"),
    ("a\rb", "a\\u000db"), ("a\r\nb", "a\\u000d\nb"), ("\u{7F}\u{0}", "\\u007f\\u0000"),
    ("\u{9B}2J", "\\u009b2J"), ("a\u{202E}b\u{2066}", "a\\u202eb\\u2066"),
    // Marks that right-to-left texts need, and letters with the same first bytes.
    ("א\u{200F}b…“”Â\u{A0}", "א\u{200F}b…“”Â\u{A0}"),
  ])
  func controlCharactersBecomeEscapes(_ text: String, _ shown: String) {
    #expect(TerminalText.safe(text) == shown)
  }

  @Test func aLineHasNoBreaks() {
    #expect(TerminalText.line("a\nb\tc\u{2028}d\r\ne") == "a\\nb\\tc\\u2028d\\u000d\\ne")
  }

  @Test func theMiddleOfALongLineIsLeftOut() {
    let text = "start " + String(repeating: "x", count: 5000) + " end"
    let line = TerminalText.line(text)
    #expect(line.hasPrefix("start xxx") && line.hasSuffix("xxx end") && line.count < 1050)
    #expect(line.contains("[4010 characters]"))
    #expect(TerminalText.line(String(repeating: "é", count: 1000)).count == 1000)
  }

  @Test func escapesAreRightInJSON() throws {
    let text = "a\u{9B}b\u{202E}c"
    let json = String(decoding: try JSONEncoder().encode([text]), as: UTF8.self)
    let shown = TerminalText.safe(json)
    #expect(shown != json)
    #expect(try JSONDecoder().decode([String].self, from: Data(shown.utf8)) == [text])
  }

  @Test func cellsStayInTheirRow() {
    let table = TextTable.aligned([["a", "b"], ["x\ny\u{1B}[1m", String(repeating: "z", count: 300)]])
    let lines = table.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[1].hasPrefix("x\\ny\\u001b[1m  zzz") && lines[1].count < 250)
  }
}
