/// The shape of a graph of stations.
package enum RelayShape: String, CaseIterable, Sendable {
  /// Every station gets the wagon from the one before.
  case chain
  /// Every station sends its wagons to two others: station `i` gets one from station `(i - 1) / 2`.
  case tree
  /// Again and again, two stations get a wagon from the same station, and one gets both of theirs.
  case diamond

  /// The possible numbers of stations. The smallest diamond has four.
  package var sizes: ClosedRange<Int> {
    self == .diamond ? 4...24 : 2...24
  }

  /// The numbers of the stations that send wagons to station `index`, from 0; none for the first.
  package func parents(of index: Int) -> [Int] {
    guard index > 0 else { return [] }
    switch self {
    case .chain: return [index - 1]
    case .tree: return [(index - 1) / 2]
    case .diamond:
      switch index % 3 {
      case 1: return [index - 1]
      case 2: return [index - 2]
      default: return [index - 2, index - 1]
      }
    }
  }
}
