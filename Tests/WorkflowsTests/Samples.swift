import StrictYAML
import Workflows

/// Workflow texts that the tests are based on.
enum Samples {
  /// Only fields without defaults, and one parent edge.
  static let short = """
    name: iov
    model: smollm2-135m
    data: data/iov
    tasks:
      - name: perceive
        instruction: Say what is ahead.
      - name: decide
        instruction: Choose what to do.
        parents: [perceive]
    """

  /// Every field, with values other than the defaults.
  static let full = """
    # A comment
    name: iov
    model: smollm2-135m
    data: data/iov
    system: |
      You help drivers.
      Be brief.
    tasks:
      - name: perceive
        instruction: "Say what is ahead: all of it."
        inputs: [scene, weather]
        parents: []
        rank: 4
      - name: next move
        instruction: Choose what to do.
        inputs:
          - request
        parents:
          - perceive
    lora:
      rank: 12
      alpha: 24.5
      rankStabilized: true
      targets: [v_proj, q_proj]
    training:
      rounds: 2
      epochs: 3
      steps: 90
      maxSteps: 100
      batchSize: 8
      microBatchTokens: 512
      prerequisites: direct
      frozenRatio: adaptive
      adaptive: {initial: 0.25, tolerance: 0.1}
      freeze: importance
      blockStart: fresh
      parentAnswers: mixed(0.25)
      staleness: 2
      answerForm: letter
      learningRate: 2e-4
      schedule: constant
      warmup: 0.1
      cooldown: 0.3
      minimumRateRatio: 0.2
      weightDecay: 0.01
      betas: [0.8, 0.95]
      epsilon: 1e-6
      clipNorm: null
      validateEvery: 20
      validationEpisodes: 40
      patience: 0
      budget: {steps: 500, minutes: 2.5}
      checkpointEvery: 10
      seed: 7
      precision: float32
    """

  /// The refusal of a workflow, or a note that there is none.
  static func refusal(_ yaml: String, _ overrides: [String] = []) -> String {
    do throws(FieldError) {
      _ = try Workflow(yaml: yaml, file: "iov.yaml", overrides: overrides)
      return "accepted"
    } catch {
      return error.description
    }
  }
}
