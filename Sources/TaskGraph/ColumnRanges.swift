/// Formats columns as compact inclusive ranges, such as `0-3,8`; `-` if there are none.
///
/// - Parameter columns: in ascending order, without duplicates.
package func columnRanges(_ columns: some Sequence<Int>) -> String {
  var parts: [String] = []
  var open: (first: Int, last: Int)?
  func close() {
    guard let (first, last) = open else { return }
    parts.append(first == last ? "\(first)" : "\(first)-\(last)")
  }
  for column in columns {
    if let (first, last) = open, column == last + 1 {
      open = (first, column)
    } else {
      close()
      open = (column, column)
    }
  }
  close()
  return parts.isEmpty ? "-" : parts.joined(separator: ",")
}
