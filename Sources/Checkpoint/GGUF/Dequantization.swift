import SafeFiles

extension GGUFFile {
  /// Dequantizes rows of a tensor to float32.
  ///
  /// The values are bit-identical to those of the format's reference implementation. May be called by several
  /// threads at once.
  ///
  /// - Parameters:
  ///   - tensor: a tensor of this file; a vector is one row.
  ///   - rows: the rows to read, within `0..<tensor.rowCount`.
  ///   - target: receives `rows.count * tensor.rowLength` values, row after row.
  /// - Throws: `FileError` with the name of the quantisation if it is not supported.
  package func dequantize(
    _ tensor: GGUFTensor, rows: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) throws {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= tensor.rowCount, "rows beyond the tensor")
    try checkReadable(tensor)
    try forEachPiece(of: tensor, rows) { source, blocks, index in
      Self.dequantize(tensor.type, source, blocks: blocks, into: target + index)
    }
  }

  /// Dequantizes rows of a tensor to bfloat16, rounded to nearest even. The parameters are those of the
  /// float32 version. Tensors stored as BF16 are copied.
  package func dequantize(
    _ tensor: GGUFTensor, rows: Range<Int>, intoBFloat16 target: UnsafeMutablePointer<UInt16>
  ) throws {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= tensor.rowCount, "rows beyond the tensor")
    try checkReadable(tensor)
    guard let layout = tensor.type.layout else { return }
    // Chunks of 4,096 values, 16 KiB, stay in the L1 cache between the two steps.
    let chunk = 4096 / layout.valuesPerBlock
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: 4096) { buffer in
      guard let values = buffer.baseAddress else { return }
      try forEachPiece(of: tensor, rows) { source, blocks, index in
        if tensor.type == .bf16 {
          UnsafeMutableRawPointer(target + index).copyMemory(from: source, byteCount: blocks * 2)
          return
        }
        for block in stride(from: 0, to: blocks, by: chunk) {
          let count = min(chunk, blocks - block)
          Self.dequantize(tensor.type, source + block * layout.bytesPerBlock, blocks: count, into: values)
          FloatConversion.brain(
            values, count: count * layout.valuesPerBlock, into: target + index + block * layout.valuesPerBlock
          )
        }
      }
    }
  }

  /// Reads the encoded values of rows in pieces of about 1 MiB, and calls `body` with each piece, the number of
  /// its blocks and the index of its first value within the rows.
  private func forEachPiece(
    of tensor: GGUFTensor, _ rows: Range<Int>, _ body: (UnsafeRawPointer, _ blocks: Int, _ index: Int) -> Void
  ) throws {
    guard let layout = tensor.type.layout else { return }
    let blocksPerRow = tensor.rowLength / layout.valuesPerBlock
    let (first, count) = (rows.lowerBound * blocksPerRow, rows.count * blocksPerRow)
    let most = max(1, MappedFile.pieceBytes / layout.bytesPerBlock)
    for block in stride(from: 0, to: count, by: most) {
      let blocks = min(most, count - block)
      let start = tensor.byteRange.lowerBound + (first + block) * layout.bytesPerBlock
      try file.read(start..<start + blocks * layout.bytesPerBlock) { bytes in
        if let source = bytes.baseAddress { body(source, blocks, block * layout.valuesPerBlock) }
      }
    }
  }

  /// Checks that the tensor's quantisation can be read.
  ///
  /// - Throws: `FileError` with the name of the quantisation if it is not supported.
  func checkReadable(_ tensor: GGUFTensor) throws {
    guard tensor.type.isReadable else {
      let names = GGUFTensorType.readable.map(\.description).joined(separator: ", ")
      throw FileError(
        .unsupported, file: path, field: tensor.name, problem: "quantisation \(tensor.type) is not supported",
        remedy: "use a file quantised as one of \(names)")
    }
  }

  private static func dequantize(
    _ type: GGUFTensorType, _ source: UnsafeRawPointer, blocks: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let bytes = source.assumingMemoryBound(to: UInt8.self)
    switch type {
    case .f32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: blocks * 4)
    case .f16: FloatConversion.float32(halves: source, count: blocks, into: target)
    case .bf16: FloatConversion.float32(brains: source, count: blocks, into: target)
    case .q4_0: SmallBlocks.q4_0(bytes, blocks, target)
    case .q4_1: SmallBlocks.q4_1(bytes, blocks, target)
    case .q5_0: SmallBlocks.q5_0(bytes, blocks, target)
    case .q5_1: SmallBlocks.q5_1(bytes, blocks, target)
    case .q8_0: SmallBlocks.q8_0(bytes, blocks, target)
    case .q2_K: SuperBlocks.q2_K(bytes, blocks, target)
    case .q3_K: SuperBlocks.q3_K(bytes, blocks, target)
    case .q4_K: SuperBlocks.q4_K(bytes, blocks, target)
    case .q5_K: SuperBlocks.q5_K(bytes, blocks, target)
    case .q6_K: SuperBlocks.q6_K(bytes, blocks, target)
    default: preconditionFailure("checkReadable lets only readable types through")
    }
  }
}
