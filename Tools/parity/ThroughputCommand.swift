import ArgumentParser
import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import Tensor

#if canImport(Glibc)
  import Glibc
#endif

struct ThroughputCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "throughput",
    abstract: "Time optimiser steps of a LoRA fine-tuning on random tokens; prints one JSON object.",
    discussion: """
      All seven projections are adapted, every token carries loss. The first step's loss is checked: on \
      random tokens a sound model is far from certain and far from diverging.

      Example: parity throughput --model models/smollm2-135m --batch 8 --length 128 --rank 16
      """)

  @Option(help: "A GGUF file or a Hugging Face folder.") var model: String
  @Option(help: "Sequences per step.") var batch = 8
  @Option(help: "Tokens per sequence.") var length = 128
  @Option(help: "Rank columns, all trained.") var rank = 16
  @Option(help: "Timed steps.") var steps = 10
  @Option(help: "Warm-up steps, not timed.") var warmup = 2
  @Option(help: "Tokens per micro-batch.") var microBatch = 256
  @Option(help: "float32 or bfloat16; the processor's fastest by default.") var precision: ElementType?
  @Option(help: "Worker threads.") var workers: Int?
  @Option(help: "Seed of the tokens.") var seed: UInt64 = 0

  private struct Report: Encodable {
    let tokensPerSecond: Double
    let stepSeconds: [Double]
    let startToFirstStepSeconds: Double
    let peakRSSMegabytes: Double
    let plannedMegabytes: Double
    let weightMegabytes: Double
    let precision: String
    let instructionSet: String
    let matmuls: [String]
    let losses: [Double]
  }

  func validate() throws {
    let numbers = [
      ("--batch", batch, 1), ("--length", length, 1), ("--rank", rank, 1), ("--steps", steps, 1),
      ("--warmup", warmup, 0), ("--micro-batch", microBatch, 1), ("--workers", workers ?? 1, 1),
    ]
    for (option, value, least) in numbers where value < least {
      throw ValidationError("\(option): \(value) is below \(least); give a larger number")
    }
  }

  func run() throws {
    let started = ContinuousClock.now
    let device = CPUDevice(computeType: precision, workers: workers)
    device.computeType.noteEmulation()
    let weights = try ModelFiles.open(model).weights
    let context = weights.configuration.maximumPositions
    guard length <= context else {
      throw ValidationError(
        "--length: \(length) tokens do not fit the context of \(context); give a smaller number")
    }
    let llama = try LlamaModel(weights, device: device, contextLength: length)
    let modules = TargetModule.all(
      llama.configuration, layers: llama.stage.layers, targets: Set(Projection.allCases))
    let adapter = LoRAAdapter(modules: modules, rank: rank, scale: 2, seed: seed)
    var options = TrainingOptions()
    options.microBatchTokens = microBatch
    let trainer = PhaseTrainer(
      llama, adapter: adapter, columns: ColumnView(frozen: [], trainable: Array(0..<rank)), options: options,
      rows: microBatch)
    var state = seed &+ 1
    func token() -> Int32 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int32((state >> 33) % UInt64(llama.configuration.vocabularySize))
    }
    var seconds: [Double] = []
    var losses: [Double] = []
    var first = 0.0
    for step in 0..<warmup + steps {
      let sequences = (0..<batch).map { _ in
        TokenSequence(tokens: (0..<length).map { _ in token() }, targets: (0..<length).map { _ in token() })
      }
      let start = ContinuousClock.now
      let result = try trainer.step(sequences, learningRate: 1e-4)
      if step == 0 { first = (start - started) / .seconds(1) }
      if step >= warmup { seconds.append((ContinuousClock.now - start) / .seconds(1)) }
      losses.append(result.loss)
    }
    guard let loss = losses.first, loss > 5, loss < 40 else {
      throw ValidationError("the first loss, \(losses.first ?? .nan), cannot be right: nothing was timed")
    }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let sorted = seconds.sorted()
    let report = Report(
      tokensPerSecond: Double(batch * length) / sorted[sorted.count / 2], stepSeconds: seconds,
      startToFirstStepSeconds: first, peakRSSMegabytes: Double(usage.ru_maxrss) / 1024,
      plannedMegabytes: Double(trainer.byteCount) / 1e6,
      weightMegabytes: Double(llama.stage.weightBytes) / 1e6,
      precision: device.computeType.rawValue, instructionSet: CPUDevice.instructionSet,
      matmuls: device.matmulImplementations.sorted(), losses: losses)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
  }
}
