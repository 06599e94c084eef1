/// The storage type of a GGUF tensor. The raw value is the number in the file.
package struct GGUFTensorType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt32

  /// Accepts any number. A type that the package does not know has no layout.
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// float32.
  package static let f32 = GGUFTensorType(rawValue: 0)
  /// IEEE 754 binary16.
  package static let f16 = GGUFTensorType(rawValue: 1)
  /// 4 bits per value, a scale per 32 values.
  package static let q4_0 = GGUFTensorType(rawValue: 2)
  /// 4 bits per value, a scale and a minimum per 32 values.
  package static let q4_1 = GGUFTensorType(rawValue: 3)
  /// 5 bits per value, a scale per 32 values.
  package static let q5_0 = GGUFTensorType(rawValue: 6)
  /// 5 bits per value, a scale and a minimum per 32 values.
  package static let q5_1 = GGUFTensorType(rawValue: 7)
  /// 8 bits per value, a scale per 32 values.
  package static let q8_0 = GGUFTensorType(rawValue: 8)
  /// 2 bits per value, in blocks of 256 with a scale and a minimum per 16 values.
  package static let q2_K = GGUFTensorType(rawValue: 10)
  /// 3 bits per value, in blocks of 256 with a scale per 16 values.
  package static let q3_K = GGUFTensorType(rawValue: 11)
  /// 4 bits per value, in blocks of 256 with a scale and a minimum per 32 values.
  package static let q4_K = GGUFTensorType(rawValue: 12)
  /// 5 bits per value, in blocks of 256 with a scale and a minimum per 32 values.
  package static let q5_K = GGUFTensorType(rawValue: 13)
  /// 6 bits per value, in blocks of 256 with a scale per 16 values.
  package static let q6_K = GGUFTensorType(rawValue: 14)
  /// bfloat16.
  package static let bf16 = GGUFTensorType(rawValue: 30)

  /// The types whose values can be read, in the order of their numbers.
  package static let readable: [GGUFTensorType] = [
    .f32, .f16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .bf16,
  ]

  /// A block: the unit of consecutive values of a row that are stored together.
  package struct Layout: Sendable, Equatable {
    /// The type's name as the format spells it.
    package let name: String
    package let valuesPerBlock: Int
    package let bytesPerBlock: Int
  }

  /// The block layout of readable types and of types known only by name; `nil` for others.
  package var layout: Layout? { Self.layouts[rawValue] }

  /// Whether values of this type can be read.
  package var isReadable: Bool { Self.readable.contains(self) }

  /// The format's name for the type, or `type N` for an unknown number.
  package var description: String { layout?.name ?? "type \(rawValue)" }

  private static let layouts: [UInt32: Layout] = {
    let rows: [(UInt32, String, Int, Int)] = [
      (0, "F32", 1, 4), (1, "F16", 1, 2), (2, "Q4_0", 32, 18), (3, "Q4_1", 32, 20), (6, "Q5_0", 32, 22),
      (7, "Q5_1", 32, 24), (8, "Q8_0", 32, 34), (9, "Q8_1", 32, 40), (10, "Q2_K", 256, 84),
      (11, "Q3_K", 256, 110), (12, "Q4_K", 256, 144), (13, "Q5_K", 256, 176), (14, "Q6_K", 256, 210),
      (15, "Q8_K", 256, 292), (16, "IQ2_XXS", 256, 66), (17, "IQ2_XS", 256, 74), (18, "IQ3_XXS", 256, 98),
      (19, "IQ1_S", 256, 50), (20, "IQ4_NL", 32, 18), (21, "IQ3_S", 256, 110), (22, "IQ2_S", 256, 82),
      (23, "IQ4_XS", 256, 136), (24, "I8", 1, 1), (25, "I16", 1, 2), (26, "I32", 1, 4), (27, "I64", 1, 8),
      (28, "F64", 1, 8), (29, "IQ1_M", 256, 56), (30, "BF16", 1, 2), (34, "TQ1_0", 256, 54),
      (35, "TQ2_0", 256, 66), (39, "MXFP4", 32, 17), (40, "NVFP4", 64, 36), (41, "Q1_0", 128, 18),
    ]
    return Dictionary(
      uniqueKeysWithValues: rows.map {
        ($0.0, Layout(name: $0.1, valuesPerBlock: $0.2, bytesPerBlock: $0.3))
      })
  }()
}

/// A row of a GGUF file's tensor table.
package struct GGUFTensor: Sendable, Equatable {
  /// The tensor's name, such as `blk.0.attn_q.weight`.
  package let name: String
  /// The dimensions, slowest first (`[out, in]`); the file lists them fastest first.
  package let shape: [Int]
  package let type: GGUFTensorType
  /// The location of the values in the file; empty if the type's layout is unknown.
  package let byteRange: Range<Int>

  /// The length of a row: the last dimension.
  package var rowLength: Int { shape[shape.count - 1] }
  /// The number of rows: the product of all dimensions except the last. A vector is one row.
  package var rowCount: Int { shape.dropLast().reduce(1, *) }
  /// The number of values.
  package var count: Int { shape.reduce(1, *) }
}
