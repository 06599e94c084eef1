/// Exports the graph for drawing tools.
extension TaskDependencyGraph {
  /// A Mermaid flowchart (https://mermaid.js.org) with edges from parent to child.
  ///
  /// - Parameter blocks: if given, each task's columns are shown below its name.
  package func mermaid(blocks: RankBlocks? = nil) -> String {
    var lines = ["flowchart LR"]
    for (i, task) in tasks.enumerated() {
      let columns = blocks.map { "<br/>columns \(columnRanges($0[task]))" } ?? ""
      lines.append("  t\(i)[\"\(Self.mermaidEscaped(task))\(columns)\"]")
    }
    for (i, task) in tasks.enumerated() {
      for parent in parents(of: task) { lines.append("  t\(index(parent)) --> t\(i)") }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A Graphviz digraph (https://graphviz.org) with edges from parent to child and one rank of nodes per
  /// level.
  ///
  /// - Parameter blocks: if given, each task's columns are shown below its name.
  package func dot(blocks: RankBlocks? = nil) -> String {
    var lines = ["digraph workflow {", "  rankdir=LR;", "  node [shape=box];"]
    for (i, task) in tasks.enumerated() {
      let columns = blocks.map { "\\ncolumns \(columnRanges($0[task]))" } ?? ""
      lines.append("  t\(i) [label=\"\(Self.dotEscaped(task))\(columns)\"];")
    }
    for level in levels {
      lines.append("  { rank=same; \(level.map { "t\(index($0));" }.joined(separator: " ")) }")
    }
    for (i, task) in tasks.enumerated() {
      for parent in parents(of: task) { lines.append("  t\(index(parent)) -> t\(i);") }
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  /// Replaces characters that are special inside a quoted label with Mermaid's entity codes.
  private static func mermaidEscaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "#", "&", "<", ">", "`", "\\": out += "#\(scalar.value);"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F: out += " "
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// Escapes text for a double-quoted DOT string. A backslash would start one of DOT's label escapes.
  private static func dotEscaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F: out += " "
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
