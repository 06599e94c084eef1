import TextTables

/// Formats the schedule as readable tables.
extension PhaseSchedule {
  /// The settings; each task's level and columns; which tasks can train in parallel; and the columns that
  /// each phase trains, freezes and masks. Columns are compact inclusive ranges.
  package func text() -> String {
    let settings =
      "\(counted(graph.tasks.count, "task")), \(counted(graph.levels.count, "level")), rank \(blocks.rank), "
      + "frozen ratio \(frozenRatio) (\(freezeRule.rawValue)), prerequisites: \(prerequisiteRule.rawValue), "
      + counted(rounds, "round")
    let tasks = graph.topologicalOrder.map { task in
      [
        "\(graph.level(of: task))", Self.oneLine(task), columnRanges(blocks[task]),
        Self.list(graph.parents(of: task)), columnRanges(viewColumns(of: task)),
      ]
    }
    var sections = [
      settings, TextTable.aligned([["Level", "Task", "Columns", "Parents", "Sees"]] + tasks),
    ]
    let sideBySide = graph.levels.indices.compactMap { sideBySideLine(level: $0 + 1) }
    if !sideBySide.isEmpty { sections.append(sideBySide.joined(separator: "\n")) }
    sections.append(phaseTable())
    if contains(where: \.isProvisional) {
      sections.append("'n of a-b': the n columns are chosen by importance when the phase starts.")
    }
    return sections.joined(separator: "\n\n") + "\n"
  }

  /// The phases of the first round; later rounds use the same columns.
  private func phaseTable() -> String {
    let rows = prefix(graph.tasks.count).map { phase in
      var frozen = phase.frozen
      var trainable = phase.trainable
      var openFrozen: [String] = []
      var openTrainable: [String] = []
      if phase.isProvisional {
        let open = phase.prerequisites.filter { !$0.frozen.isEmpty && !$0.trainable.isEmpty }
        let unsettled = Set(open.flatMap { Array($0.block) })
        frozen.removeAll(where: unsettled.contains)
        trainable.removeAll(where: unsettled.contains)
        openFrozen = open.map { "\($0.frozen.count) of \(columnRanges($0.block))" }
        openTrainable = open.map { "\($0.trainable.count) of \(columnRanges($0.block))" }
      }
      return [
        "\(phase.index + 1)", "\(phase.level)", Self.oneLine(phase.task),
        Self.list((trainable.isEmpty ? [] : [columnRanges(trainable)]) + openTrainable),
        Self.list((frozen.isEmpty ? [] : [columnRanges(frozen)]) + openFrozen),
        columnRanges(phase.masked),
      ]
    }
    let table = TextTable.aligned([["Phase", "Level", "Task", "Trains", "Freezes", "Masks"]] + rows)
    return rounds == 1 ? table : table + "\n(the same in each of the \(rounds) rounds)"
  }

  /// One line on which tasks of a level can train in parallel; `nil` for a level with a single task.
  private func sideBySideLine(level: Int) -> String? {
    let groups = independentGroups(level: level)
    guard graph.levels[level - 1].count > 1 else { return nil }
    guard groups.count > 1 else {
      return "Level \(level): tasks train one after the other, because they refine shared columns."
    }
    let parts = groups.map { $0.map(Self.oneLine).joined(separator: " then ") }
    return "Level \(level): can train side by side: \(parts.joined(separator: " | "))."
  }

  private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  private static func list(_ parts: [String]) -> String {
    parts.isEmpty ? "-" : parts.map(oneLine).joined(separator: ", ")
  }

  private static func oneLine(_ text: String) -> String { TerminalText.line(text, longest: 200) }
}
