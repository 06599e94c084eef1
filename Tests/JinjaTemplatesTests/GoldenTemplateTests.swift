import Foundation
import JinjaTemplates
import SeededRandom
import StrictJSON
import TestSupport
import Testing

@Suite("Templates give what jinja2 gives")
struct GoldenTemplateTests {
  /// Compares one rendering with the golden case: the text, or the kind of error.
  func compare(
    _ golden: JSONValue, _ what: String, _ render: () throws(TemplateError) -> String
  ) throws {
    let result = Result(catching: render)
    if case .string(let expected)? = golden["expected"] {
      switch result {
      case .success(let text):
        #expect(text.utf8.elementsEqual(expected.utf8), "\(what): got \(text), expected \(expected)")
      case .failure(let error): Issue.record("\(what): \(error)")
      }
      return
    }
    guard case .failure(let error) = result else {
      Issue.record("\(what): an error was expected, got \(result)")
      return
    }
    switch (golden["error"], error) {
    case (.string("syntax"), .syntax), (.string("syntax"), .unsupported): break
    case (.string("evaluation"), .evaluation): break
    case (.string("raised"), .raised(let message)): #expect(golden["message"] == .string(message), "\(what)")
    default: Issue.record("\(what): \(error)")
    }
  }

  private func golden(_ name: String) throws -> JSONValue {
    try Data(contentsOf: Fixtures.url("tokenizer/" + name)).withUnsafeBytes { try JSONParser.parse($0) }
  }

  private func variables(_ value: JSONValue?) -> [String: JSONValue] {
    Dictionary((value?.members ?? []).map { ($0.key, $0.value) }) { $1 }
  }

  @Test
  func chatTemplates() throws {
    let templates = try #require(golden("templates.json").array)
    #expect(templates.count == 5)
    for golden in templates {
      let template = try JinjaTemplate(source: golden["source"]?.string ?? "")
      for example in golden["cases"]?.array ?? [] {
        let known: [String: JSONValue] = [
          "bos_token": .string("<s>"), "eos_token": .string("<|end|>"),
          "messages": example["messages"] ?? .array([]),
          "add_generation_prompt": .bool(example["generation"] == .bool(true)),
        ]
        let name = "\(golden["name"]?.string ?? ""), \(example["conversation"]?.string ?? "")"
        try compare(example, name) { () throws(TemplateError) in
          try template.render(known.merging(variables(example["variables"])) { $1 })
        }
      }
    }
  }

  @Test
  func snippets() throws {
    let golden = try golden("snippets.json")
    let variables = variables(golden["variables"])
    let cases = try #require(golden["cases"]?.array)
    #expect(cases.count > 200)
    for example in cases {
      let source = try #require(example["source"]?.string)
      try compare(example, source) { () throws(TemplateError) in
        try JinjaTemplate(source: source).render(variables)
      }
    }
  }

  /// Damaged templates give a text or an error, never a trap.
  @Test
  func damagedTemplates() throws {
    var generator = SeededGenerator(seed: 11)
    let templates = try #require(golden("templates.json").array).compactMap { $0["source"]?.string }
    let snippets = try #require(golden("snippets.json")["cases"]?.array).compactMap { $0["source"]?.string }
    let sources = (templates + snippets).map { Array($0.utf8) }
    let pieces = [
      "{%", "%}", "{{", "}}", "{#", "#}", "-", "|", "(", ")", "[", "]", ".", ",", "'", "~", "*", "**", "//",
      " is ", " if ",
      " else ", "for x in ", "set ", "endif", "endfor", "9223372036854775807", "-1", "1e308", "\u{0}",
      "\u{301}", "loop",
      "messages", "namespace", "|join", "|tojson", "[::-1]", "not ", "None",
    ].map { Array($0.utf8) }
    let messages: JSONValue = .array([.object([.init(key: "role", value: .string("user"))])])
    var rendered = 0
    for _ in 0..<4000 {
      var text = sources[generator.below(sources.count)]
      for _ in 0...generator.below(3) {
        let start = generator.below(text.count + 1)
        let end = min(text.count, start + generator.below(8))
        text.replaceSubrange(start..<end, with: pieces[generator.below(pieces.count)])
      }
      do {
        _ = try JinjaTemplate(source: String(decoding: text, as: UTF8.self)).render(["messages": messages])
        rendered += 1
      } catch {}
    }
    #expect((400...3900).contains(rendered))
  }
}
