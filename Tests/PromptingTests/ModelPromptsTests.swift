import Checkpoint
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
}
