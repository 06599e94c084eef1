import Yams

/// A value as YAML.
///
/// - Throws: `EncodingError` if the value cannot be encoded.
package func yamlText(of value: some Encodable) throws -> String {
  let encoder = YAMLEncoder()
  encoder.options.width = 110
  // Small numbers come with 17 digits, as in 2.8019999999999999e-05. The shortest form that reads back is
  // clearer.
  let lines = try encoder.encode(value).split(separator: "\n", omittingEmptySubsequences: false)
  return lines.map { line in
    let start = line.lastIndex(of: " ").map(line.index(after:)) ?? line.startIndex
    let word = line[start...]
    guard word.utf8.count > 13, word.contains("."), let number = Double(word) else { return line }
    return line[..<start] + "\(number)"
  }.joined(separator: "\n")
}
