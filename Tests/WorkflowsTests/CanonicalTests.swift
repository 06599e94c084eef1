import Testing
import Workflows

@Suite struct CanonicalTests {
  @Test func textOfEveryField() throws {
    #expect(
      try Workflow(yaml: Samples.full, file: "iov.yaml").canonicalYAML() == #"""
        name: "iov"
        model: "smollm2-135m"
        data: "data/iov"
        system: "You help drivers.\nBe brief."
        tasks:
          - name: "perceive"
            instruction: "Say what is ahead: all of it."
            inputs: ["scene", "weather"]
            parents: []
            rank: 4
            steps: null
            maxSteps: null
          - name: "next move"
            instruction: "Choose what to do."
            inputs: ["request"]
            parents: ["perceive"]
            rank: null
            steps: null
            maxSteps: null
        lora:
          rank: 12
          alpha: 24.5
          rankStabilized: true
          targets: [q_proj, v_proj]
        training:
          rounds: 2
          epochs: 3
          steps: 90
          maxSteps: 100
          batchSize: 8
          microBatchTokens: 512
          microBatchSamples: null
          prerequisites: direct
          frozenRatio: adaptive
          adaptive: {initial: 0.25, tolerance: 0.1}
          freeze: importance
          blockStart: fresh
          parentAnswers: mixed(0.25)
          staleness: 2
          answerForm: letter
          learningRate: 0.0002
          schedule: constant
          warmup: 0.1
          cooldown: 0.3
          minimumRateRatio: 0.2
          weightDecay: 0.01
          betas: [0.8, 0.95]
          epsilon: 1e-06
          clipNorm: null
          validateEvery: 20
          validationEpisodes: 40
          patience: null
          budget: {steps: 500, tokens: null, minutes: 2.5}
          checkpointEvery: 10
          seed: 7
          precision: float32

        """#)
  }

  @Test func readsBackEqual() throws {
    for yaml in [Samples.short, Samples.full] {
      let workflow = try Workflow(yaml: yaml, file: "iov.yaml")
      let text = workflow.canonicalYAML()
      let again = try Workflow(yaml: text, file: "elsewhere/run.yaml")
      #expect(again == workflow && again.hashValue == workflow.hashValue)
      #expect(again.canonicalYAML() == text)
      #expect(
        again.tasks == workflow.tasks && again.lora == workflow.lora && again.training == workflow.training)
      #expect(again.phaseSchedule == workflow.phaseSchedule)
    }
  }

  /// Every scalar that text can contain survives, including those that YAML forbids or merges.
  @Test func everyScalarSurvives() throws {
    var text = "a"
    for value in UInt32(1)...0x1_04FF {
      if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
    }
    for value in UInt32(0x10_FF00)...0x10_FFFF {
      if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
    }
    text += "."
    let escaped = text.unicodeScalars.map { scalar in
      let digits = String(scalar.value, radix: 16)
      return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
    let workflow = try Workflow(yaml: Samples.short, file: "x", overrides: ["system=\"\(escaped)\""])
    #expect(workflow.system.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
    let again = try Workflow(yaml: workflow.canonicalYAML(), file: "x")
    #expect(again.system.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
  }

  @Test(arguments: ["5e-324", "1.7976931348623157e308", "0.1", "1e22", "123456789.123456789", "1E-3", "+2"])
  func numbersSurvive(number: String) throws {
    let workflow = try Workflow(yaml: Samples.short, file: "x", overrides: ["lora.alpha=\(number)"])
    #expect(workflow.lora.alpha == Double(number))
    #expect(try Workflow(yaml: workflow.canonicalYAML(), file: "x").lora.alpha == workflow.lora.alpha)
  }

  @Test func layoutDoesNotMatterButValuesDo() throws {
    let workflow = try Workflow(yaml: Samples.short, file: "x")
    let relaid = try Workflow(
      yaml: "tasks: [{instruction: Say what is ahead., name: perceive}, "
        + "{parents: [perceive], name: decide, instruction: Choose what to do.}]\n"
        + "data: 'data/iov'\nmodel: smollm2-135m\nname: iov\ntraining: {learningRate: 0.001}\n", file: "y")
    #expect(relaid == workflow)
    for override in [
      "training.seed=1", "name=x", "system=''", "tasks.decide.parents=[]", "tasks.decide.rank=8",
    ] {
      #expect(try workflow.applying(overrides: [override]) != workflow, "\(override)")
    }
  }
}
