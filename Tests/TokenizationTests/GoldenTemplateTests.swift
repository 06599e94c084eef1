import Foundation
import TestSupport
import Testing
import Tokenization

@Suite("Chat templates equal jinja2")
struct GoldenTemplateTests {
  /// Compares one rendering with the golden case: the text, or the kind of error.
  func compare(
    _ golden: TemplateValue, _ what: String, _ render: () throws(ChatTemplateError) -> String
  ) throws {
    let result = Result(catching: render)
    if case .string(let expected)? = golden["expected"] {
      switch result {
      case .success(let text): #expect(same(text, expected), "\(what): got \(text), expected \(expected)")
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

  @Test
  func wholeTemplates() throws {
    let templates = try TemplateValue(json: TokenizerFixtures.data("templates.json")).elements
    #expect(templates.count == 5)
    for golden in templates {
      let template = try ChatTemplate(source: golden["source"]?.text ?? "")
      for example in golden["cases"]?.elements ?? [] {
        let messages = try (example["messages"]?.elements ?? []).map(ChatMessage.init)
        let generation = example["generation"] == .bool(true)
        let name = "\(golden["name"]?.text ?? ""), \(example["conversation"]?.text ?? ""), \(generation)"
        try compare(example, name) { () throws(ChatTemplateError) in
          try template.render(
            messages: messages, addGenerationPrompt: generation,
            specialTokens: ["bos_token": "<s>", "eos_token": "<|end|>"],
            variables: example["variables"]?.members ?? [:])
        }
      }
    }
  }

  @Test
  func snippets() throws {
    let golden = try TemplateValue(json: TokenizerFixtures.data("snippets.json"))
    let variables = try #require(golden["variables"]?.members)
    let cases = try #require(golden["cases"]?.elements)
    #expect(cases.count > 200)
    for example in cases {
      let source = try #require(example["source"]?.text)
      try compare(example, source) { () throws(ChatTemplateError) in
        try ChatTemplate(source: source).render(variables)
      }
    }
  }
}

extension TemplateValue {
  subscript(key: String) -> TemplateValue? { members?[key] }

  var members: [String: TemplateValue]? {
    guard case .object(let members) = self else { return nil }
    return Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
  }

  var elements: [TemplateValue] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }
}
