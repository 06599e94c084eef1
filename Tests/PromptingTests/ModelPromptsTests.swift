import Checkpoint
import Foundation
import Prompting
import TestSupport
import Testing

/// The prompt-related contents of a model's files.
struct ModelPromptsTests {
  @Test("a tokenizer.json that is none is named itself, not its folder")
  func tokenizer() throws {
    let files = try ModelFiles.open(Fixtures.url("checkpoint/tiny-llama").path)
    do {
      _ = try ModelPrompts.tokenizer(files)
      Issue.record("accepted")
    } catch {
      #expect("\(error)".contains("/tiny-llama/tokenizer.json: field 'model': is missing"), "\(error)")
    }
  }

  @Test("what is wrong with a chat template is said with the model's path")
  func template() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let model = folder.appendingPathComponent("model")
      try FileManager.default.copyItem(at: Fixtures.url("checkpoint/tiny-llama"), to: model)
      func problem(_ source: String) throws -> String {
        try source.write(
          to: model.appendingPathComponent("chat_template.jinja"), atomically: true, encoding: .utf8)
        let error = #expect(throws: ModelTemplateError.self) {
          try ModelPrompts.prompt("Hello", for: try ModelFiles.open(model.path))
        }
        return error?.description ?? ""
      }
      #expect(
        try problem("{% include 'x' %}")
          == "\(model.path): chat template, line 1: the statement 'include' is not supported; simplify the template"
      )
      #expect(
        try problem("{% for m in messages if m.role == 'human' %}{{ m.content }}{% endfor %}x")
          == "\(model.path): the chat template leaves out the user's message; use a model whose template writes it whole"
      )
    }
  }
}
