/// Exports the schedule as JSON.
extension PhaseSchedule {
  /// One JSON object: the settings, `tasks` in file order, `levels`, and the `phases` of all rounds.
  ///
  /// A block is `[lower, upper]`, with `upper` excluded. `trainable`, `frozen` and `masked` are ascending
  /// lists of columns. In a provisional phase, `frozen` is decided when the phase starts.
  package func json() -> String {
    let taskLines = graph.tasks.map { task in
      let fields = [
        "\"name\": \(jsonString(task))", "\"parents\": \(jsonStrings(graph.parents(of: task)))",
        "\"level\": \(graph.level(of: task))", "\"block\": \(jsonBlock(blocks[task]))",
        "\"prerequisites\": \(jsonStrings(graph.prerequisites(of: task, rule: prerequisiteRule)))",
        "\"viewColumns\": \(jsonNumbers(viewColumns(of: task)))",
      ]
      return "    {\(fields.joined(separator: ", "))}"
    }
    let levelLines = graph.levels.indices.map { k in
      let groups = independentGroups(level: k + 1).map(jsonStrings).joined(separator: ", ")
      return "    {\"level\": \(k + 1), \"tasks\": \(jsonStrings(graph.levels[k])), "
        + "\"independentGroups\": [\(groups)]}"
    }
    let phaseLines = map { "    \($0.json)" }
    return """
      {
        "rank": \(blocks.rank),
        "frozenRatio": \(frozenRatio),
        "prerequisites": \(jsonString(prerequisiteRule.rawValue)),
        "freeze": \(jsonString(freezeRule.rawValue)),
        "rounds": \(rounds),
        "tasks": [
      \(taskLines.joined(separator: ",\n"))
        ],
        "levels": [
      \(levelLines.joined(separator: ",\n"))
        ],
        "phases": [
      \(phaseLines.joined(separator: ",\n"))
        ]
      }

      """
  }
}

extension Phase {
  /// The phase as a JSON object on one line.
  package var json: String {
    let perTask = prerequisites.map {
      "{\"task\": \(jsonString($0.task)), \"block\": \(jsonBlock($0.block)), "
        + "\"frozen\": \(jsonNumbers($0.frozen)), \"trainable\": \(jsonNumbers($0.trainable))}"
    }
    let fields = [
      "\"index\": \(index)", "\"round\": \(round)", "\"level\": \(level)", "\"task\": \(jsonString(task))",
      "\"block\": \(jsonBlock(block))", "\"trainable\": \(jsonNumbers(trainable))",
      "\"frozen\": \(jsonNumbers(frozen))", "\"masked\": \(jsonNumbers(masked))",
      "\"provisional\": \(isProvisional)", "\"prerequisites\": [\(perTask.joined(separator: ", "))]",
    ]
    return "{\(fields.joined(separator: ", "))}"
  }
}

private func jsonNumbers(_ numbers: [Int]) -> String {
  "[\(numbers.map(String.init).joined(separator: ", "))]"
}

private func jsonBlock(_ block: Range<Int>) -> String { jsonNumbers([block.lowerBound, block.upperBound]) }

private func jsonStrings(_ strings: [String]) -> String {
  "[\(strings.map(jsonString).joined(separator: ", "))]"
}

/// A JSON string literal (RFC 8259, section 7).
private func jsonString(_ text: String) -> String {
  var out = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": out += "\\\""
    case "\\": out += "\\\\"
    case "\n": out += "\\n"
    case "\t": out += "\\t"
    case "\r": out += "\\r"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F:
      let digits = String(scalar.value, radix: 16)
      out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out + "\""
}
