/// The candidate that `name` was most likely meant to be, or `nil` if none is close.
///
/// Distance is the number of single-character insertions, deletions, substitutions and swaps of neighbours
/// (optimal string alignment), ignoring case. A candidate is close if its distance is at most a third of the
/// longer name's length, or at most one for short names. Among equally close candidates, the first wins.
package func nearestName(to name: String, in candidates: [String]) -> String? {
  var best: (name: String, distance: Int)?
  let wanted = Array(name.lowercased())
  for candidate in candidates {
    let other = Array(candidate.lowercased())
    let limit = max(1, max(wanted.count, other.count) / 3)
    guard abs(wanted.count - other.count) <= limit else { continue }
    let distance = editDistance(wanted, other)
    if distance <= limit, distance < (best?.distance ?? .max) {
      best = (candidate, distance)
    }
  }
  return best?.name
}

/// The optimal string alignment distance of two character sequences.
func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var twoBack = [Int](repeating: 0, count: b.count + 1)
  var previous = Array(0...b.count)
  var current = twoBack
  for i in 0..<a.count {
    current[0] = i + 1
    for j in 0..<b.count {
      let substitution = previous[j] + (a[i] == b[j] ? 0 : 1)
      current[j + 1] = min(substitution, previous[j + 1] + 1, current[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        current[j + 1] = min(current[j + 1], twoBack[j - 1] + 1)
      }
    }
    (twoBack, previous, current) = (previous, current, twoBack)
  }
  return previous[b.count]
}
