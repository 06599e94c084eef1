/// The two orders of the query and key rows of a head of dimension d.
///
/// Hugging Face rotates row j of a head with row j + d/2 (half-split). llama.cpp's llama architecture rotates
/// row 2j with row 2j + 1 (interleaved) and permutes the rows of `attn_q` and `attn_k` accordingly.
///
/// | half-split row of a head | interleaved row |
/// |---|---|
/// | j, for j < d/2 | 2j |
/// | d/2 + j | 2j + 1 |
enum RotaryOrder {
  /// The interleaved row that corresponds to the half-split row `row`, counted over all heads.
  static func interleavedRow(ofHalfSplit row: Int, headDimension: Int) -> Int {
    let (head, within) = row.quotientAndRemainder(dividingBy: headDimension)
    let half = headDimension / 2
    return head * headDimension + (within < half ? 2 * within : 2 * (within - half) + 1)
  }

  /// Reorders rows of `width` values from half-split to interleaved order.
  static func interleaved(_ values: [Float], width: Int, headDimension: Int) -> [Float] {
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<values.count / width {
      let target = interleavedRow(ofHalfSplit: row, headDimension: headDimension)
      result.replaceSubrange(
        target * width..<(target + 1) * width, with: values[row * width..<(row + 1) * width])
    }
    return result
  }
}
