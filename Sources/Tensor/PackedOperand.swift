import COneDNN

/// A weight operand `[k, n]` in oneDNN's own layout.
final class PackedOperand: @unchecked Sendable {
  // `@unchecked Sendable`: written once in `init`, then only read.
  let descriptor: dnnl_memory_desc_t
  let storage: DeviceMemory
  /// The type of the values, which must also be the type of the left operand.
  let type: ElementType
  /// The primitive that multiplies with this layout.
  let product: PackedProduct

  /// Packs the logical `[k, n]` matrix at `source` (float32, with the given element strides) as `type`.
  init(source: UnsafeMutableRawPointer, strides: SIMD2<Int>, k: Int, n: Int, type: ElementType) {
    let (product, layout) = PackedProduct.fastest(k: k, n: n, type: type)
    var plain = product.weights(k: k, n: n, strides: strides, type: dnnl_f32)
    var packed = layout
    self.product = product
    self.type = type
    descriptor = layout
    storage = DeviceMemory(byteCount: dnnl_memory_desc_get_size(&packed))
    OneDNN.reorder(from: &plain, source, to: &packed, storage.address)
  }
}

/// The primitive that multiplies with packed weights.
enum PackedProduct: Hashable, Sendable {
  case matmul
  /// A 1x1 convolution whose pixels are the rows. On AVX2, oneDNN's matrix product would pack plain weights
  /// again in each call, while its convolution keeps them in blocks: it is up to four times as fast for few
  /// rows.
  case convolution

  /// The fastest product and the layout that it requires, which is the same for every number of rows.
  static func fastest(k: Int, n: Int, type: ElementType) -> (PackedProduct, dnnl_memory_desc_t) {
    guard let matmul = layout(.matmul, k: k, n: n, type: type) else {
      preconditionFailure("oneDNN offers no \(type) matrix product")
    }
    var (packed, plain) = (matmul.layout, OneDNN.memory([k, n], [n, 1], type.dnnl))
    guard dnnl_memory_desc_equal(&packed, &plain) != 0 else { return (.matmul, packed) }
    if let blocks = layout(.convolution, k: k, n: n, type: type), blocks.implementation.hasPrefix("jit_1x1") {
      return (.convolution, blocks.layout)
    }
    return (.matmul, OneDNN.memory([k, n], [rowStride(n, type: type), 1], type.dnnl))
  }

  /// Whether oneDNN multiplies bfloat16 with the processor's instructions for it. On AVX-512 without them, it
  /// widens values in its own loops, which are slower than the emulation of this project. With an older
  /// instruction set, it has only reference loops or no implementation.
  static var multipliesBFloat16: Bool {
    guard let found = layout(.matmul, k: 64, n: 64, type: .bfloat16) else { return false }
    return ["bf16", "amx"].contains { found.implementation.contains($0) }
  }

  private static func layout(_ product: PackedProduct, k: Int, n: Int, type: ElementType) -> (
    layout: dnnl_memory_desc_t, implementation: String
  )? {
    let any = OneDNN.anyLayout(product.weightDimensions(k: k, n: n), type.dnnl)
    guard
      let probe = product.descriptor(
        m: 128, n: n, k: k, source: type.dnnl, weights: any, destination: dnnl_f32, accumulate: true)
    else { return nil }
    defer { dnnl_primitive_desc_destroy(probe) }
    return (OneDNN.query(probe, dnnl_query_weights_md), OneDNN.implementation(probe))
  }

  /// The stride, in elements, of plain row-major weights. If rows are a multiple of 1 KiB apart, they fall
  /// into the same few sets of the L1 cache and the library's own packing runs at half speed. Such rows are
  /// padded by one cache line.
  private static func rowStride(_ n: Int, type: ElementType) -> Int {
    n * type.size % 1024 == 0 ? n + 64 / type.size : n
  }

  private func weightDimensions(k: Int, n: Int) -> [Int] { self == .matmul ? [k, n] : [n, k, 1, 1] }

  /// Describes a logical `[k, n]` matrix with these element strides in this product's dimensions.
  func weights(k: Int, n: Int, strides: SIMD2<Int>, type: dnnl_data_type_t) -> dnnl_memory_desc_t {
    OneDNN.memory(
      weightDimensions(k: k, n: n),
      self == .matmul ? [strides.x, strides.y] : [strides.y, strides.x, 1, 1], type)
  }

  /// Describes dense rows `[rows, columns]` in this product's dimensions.
  func rows(_ rows: Int, _ columns: Int, _ type: dnnl_data_type_t) -> dnnl_memory_desc_t {
    switch self {
    case .matmul: OneDNN.memory([rows, columns], [columns, 1], type)
    case .convolution:
      OneDNN.memory([1, columns, rows, 1], [rows * columns, 1, columns, columns], type)
    }
  }

  /// `dst[m,n] (+)= src[m,k] weights[k,n]` with dense rows; `nil` if the library does not support it.
  func descriptor(
    m: Int, n: Int, k: Int, source: dnnl_data_type_t, weights: dnnl_memory_desc_t,
    destination: dnnl_data_type_t, accumulate: Bool
  ) -> dnnl_primitive_desc_t? {
    let (source, destination) = (rows(m, k, source), rows(m, n, destination))
    switch self {
    case .matmul:
      return OneDNN.matmulDescriptor(
        source: source, weights: weights, destination: destination, accumulate: accumulate)
    case .convolution:
      return OneDNN.convolutionDescriptor(
        source: source, weights: weights, destination: destination, accumulate: accumulate)
    }
  }
}
