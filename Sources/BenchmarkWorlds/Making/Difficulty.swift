/// How much a text says beside what matters: 1 is nothing, each further level adds a remark to be ignored.
package struct Difficulty: Sendable, Equatable {
  /// The levels.
  package static let levels = 1...3
  /// The number of remarks to be ignored in an input.
  package let remarks: Int

  /// - Throws: `WorldError` if `level` is outside ``levels``.
  package init(_ level: Int = 1) throws(WorldError) {
    guard Self.levels.contains(level) else { throw .outside("difficulty", level, allowed: Self.levels) }
    remarks = level - 1
  }
}
