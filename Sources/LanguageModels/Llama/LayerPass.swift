import Tensor

/// The inputs and buffers shared by all layers of a pass.
struct LayerPass {
  let rotary: RotaryTable
  let segments: [AttentionSegment]
  /// The number of rows with a token; rows beyond are zero.
  let rowCount: Int
  let adapter: DeviceAdapter?
  let scratch: Scratch
  let operations: any TensorOperations

  /// Zeroes the rows without a token.
  func zeroPadding(_ matrix: Matrix) { operations.zero(matrix.rows(rowCount..<matrix.rows)) }
}
