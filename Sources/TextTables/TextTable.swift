/// Tables for a terminal.
package enum TextTable {
  /// Rows whose cells are padded to the width of their column, two spaces apart, without trailing spaces.
  ///
  /// - Parameters:
  ///   - rows: the cells, shown by ``TerminalText/line(_:longest:)``.
  ///   - right: the columns that are right-aligned.
  package static func aligned(_ rows: [[String]], right: Set<Int> = []) -> String {
    let rows = rows.map { $0.map { TerminalText.line($0, longest: 200) } }
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return right.contains(column) ? space + cell : cell + space
      }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}
