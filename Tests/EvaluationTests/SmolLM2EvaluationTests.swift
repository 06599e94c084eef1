import BenchmarkWorlds
import Checkpoint
import Datasets
import Evaluation
import LanguageModels
import Prompting
import Tensor
import TestSupport
import Testing
import Workflows

/// The real model, before any training.
struct SmolLM2EvaluationTests {
  @Test(
    "zero-shot evaluation of eight episodes, twice the same",
    .enabled(if: Fixtures.baseModel != nil, "the base model is not there: make model fetches it"))
  func zeroShot() throws {
    let files = try ModelFiles.open(#require(Fixtures.baseModel).path)
    let model = try LlamaModel(files.weights, device: CPUDevice(), contextLength: 512, use: .forward)
    let workflow = try Workflow(
      contentsOf: Fixtures.packageRoot.appendingPathComponent("Examples/iov.yaml").path)
    let material = try ModelPrompts(files)
    let prompts = try PromptRenderer(
      workflow: workflow, tokenizer: material.tokenizer, template: material.template,
      specialTokens: material.specialTokens, contextLength: model.contextLength,
      vocabularySize: model.configuration.vocabularySize)
    let evaluator = WorkflowEvaluator(
      workflow: workflow, predictor: AnswerPredictor(model, prompts: prompts), view: { _ in nil })
    let episodes = Array(try IoVWorld().splits(episodes: 10, seed: 7).train.prefix(8))
    let report = try evaluator.evaluate(episodes) { _, _, _, _ in }
    #expect(report.tasks.map(\.task) == ["perceive", "predict", "decide", "route"])
    for task in report.tasks {
      #expect(task.gold.count == 8 && task.gold.multipleChoice == 8 && task.chained.multipleChoice == 8)
    }
    #expect(try evaluator.evaluate(episodes) { _, _, _, _ in } == report)
    let runs = try (0..<2).map { _ in try evaluator.run(episodes[0]).tasks.map(\.answer) }
    #expect(runs[0] == runs[1])
  }
}
