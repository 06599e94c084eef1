extension Workflow {
  /// The workflow as YAML with every field written out, in a fixed order and format.
  ///
  /// Equal values give the same text, regardless of the layout of the original file, and parsing the text
  /// gives an equal workflow. A run stores this text as its configuration. `data` and `model` are kept as
  /// written in the file.
  package func canonicalYAML() -> String {
    var lines = [
      "name: \(YAMLText.quoted(name))", "model: \(YAMLText.quoted(model))", "data: \(YAMLText.quoted(data))",
      "system: \(system.map(YAMLText.quoted) ?? "null")", "tasks:",
    ]
    for task in tasks {
      lines += [
        "  - name: \(YAMLText.quoted(task.name))", "    instruction: \(YAMLText.quoted(task.instruction))",
        "    inputs: \(yamlList(task.inputs))", "    parents: \(yamlList(task.parents))",
      ]
      // Omitted if not given, so that the text of older runs does not change.
      if let question = task.question { lines.append("    question: \(YAMLText.quoted(question))") }
      if let options = task.options { lines.append("    options: \(yamlList(options))") }
      if let maxTokens = task.maxTokens { lines.append("    maxTokens: \(maxTokens)") }
      lines += [
        "    rank: \(yamlOptional(task.rank))", "    steps: \(yamlOptional(task.steps))",
        "    maxSteps: \(yamlOptional(task.maxSteps))",
      ]
    }
    lines += [
      "lora:", "  rank: \(lora.rank)", "  alpha: \(lora.alpha)", "  rankStabilized: \(lora.rankStabilized)",
      "  targets: [\(lora.targets.map(\.rawValue).joined(separator: ", "))]",
    ]
    // Omitted if it is the default.
    if lora.firstLayer > 0 { lines.append("  firstLayer: \(lora.firstLayer)") }
    lines.append("training:")
    lines += training.canonicalFields.map { "  \($0): \($1)" }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Workflow.Training {
  /// Every field with its value as YAML.
  fileprivate var canonicalFields: [(String, String)] {
    var fields = [
      ("rounds", "\(rounds)"), ("epochs", "\(epochs)"), ("steps", yamlOptional(steps)),
      ("maxSteps", yamlOptional(maxSteps)),
      ("batchSize", "\(batchSize)"), ("microBatchTokens", "\(microBatchTokens)"),
      ("microBatchSamples", yamlOptional(microBatchSamples)),
      ("prerequisites", prerequisites.rawValue),
    ]
    switch frozenRatio {
    case .fixed(let ratio):
      fields.append(("frozenRatio", "\(ratio)"))
    case .adaptive(let initial, let tolerance):
      fields.append(("frozenRatio", "adaptive"))
      fields.append(("adaptive", "{initial: \(initial), tolerance: \(tolerance)}"))
    }
    fields.append(("freeze", freeze.rawValue))
    // Omitted if it is the default, so that the text of older runs does not change.
    if blockStart != .base { fields.append(("blockStart", blockStart.rawValue)) }
    fields += [
      ("parentAnswers", parentAnswers.text), ("staleness", "\(staleness)"),
      ("answerForm", answerForm.rawValue), ("learningRate", "\(learningRate)"),
      ("schedule", schedule.rawValue), ("warmup", "\(warmup)"), ("cooldown", "\(cooldown)"),
      ("minimumRateRatio", "\(minimumRateRatio)"),
      ("weightDecay", "\(weightDecay)"), ("betas", "[\(beta1), \(beta2)]"), ("epsilon", "\(epsilon)"),
      ("clipNorm", yamlOptional(clipNorm)), ("validateEvery", yamlOptional(validateEvery)),
      ("validationEpisodes", "\(validationEpisodes)"), ("patience", yamlOptional(patience)),
      (
        "budget",
        "{steps: \(yamlOptional(budget.steps)), tokens: \(yamlOptional(budget.tokens)), "
          + "minutes: \(yamlOptional(budget.minutes))}"
      ),
      ("checkpointEvery", "\(checkpointEvery)"), ("seed", "\(seed)"),
      ("precision", precision.rawValue),
    ]
    return fields
  }
}

extension ParentAnswers {
  /// The value as written in a workflow file.
  package var text: String {
    switch self {
    case .gold: "gold"
    case .predicted: "predicted"
    case .mixed(let share): "mixed(\(share))"
    }
  }
}

private func yamlOptional(_ value: (some CustomStringConvertible)?) -> String {
  value.map { "\($0)" } ?? "null"
}

private func yamlList(_ texts: [String]) -> String {
  "[\(texts.map(YAMLText.quoted).joined(separator: ", "))]"
}
