// All calls of oneDNN's C API (2.6) are in this file and in PackedOperand.swift.
import COneDNN
import Locking

/// A product `dst[m,n] (+)= src[m,k] weights[k,n]`, the key of a compiled primitive.
struct MatmulKey: Hashable, Sendable {
  var m: Int
  var n: Int
  var k: Int
  var sourceType: ElementType
  var destinationType: ElementType
  /// The element strides of the logical source matrix.
  var sourceStrides: SIMD2<Int>
  /// The element strides of the logical weights; `nil` if the weights are packed, for `product`.
  var weightStrides: SIMD2<Int>?
  var product: PackedProduct = .matmul
  var destinationStride: Int
  var accumulate: Bool
  var threads: Int
}

/// A compiled product. oneDNN's primitives may run on several threads at once, because the caller supplies
/// the scratchpad.
final class MatmulPrimitive: @unchecked Sendable {
  let primitive: dnnl_primitive_t
  let source: dnnl_memory_desc_t
  let weights: dnnl_memory_desc_t
  let destination: dnnl_memory_desc_t
  let scratchpad: dnnl_memory_desc_t
  /// The library's name for the implementation, such as `brg:avx512_core_bf16`.
  let implementation: String

  init(_ key: MatmulKey, packed: PackedOperand?) {
    let (sourceType, destinationType) = (key.sourceType.dnnl, key.destinationType.dnnl)
    let described: dnnl_primitive_desc_t?
    if let strides = key.weightStrides {
      source = OneDNN.memory([key.m, key.k], [key.sourceStrides.x, key.sourceStrides.y], sourceType)
      weights = OneDNN.memory([key.k, key.n], [strides.x, strides.y], sourceType)
      destination = OneDNN.memory([key.m, key.n], [key.destinationStride, 1], destinationType)
      described = OneDNN.matmulDescriptor(
        source: source, weights: weights, destination: destination, accumulate: key.accumulate)
    } else if let packed {
      source = packed.product.rows(key.m, key.k, sourceType)
      weights = packed.descriptor
      destination = packed.product.rows(key.m, key.n, destinationType)
      described = packed.product.descriptor(
        m: key.m, n: key.n, k: key.k, source: sourceType, weights: weights, destination: destinationType,
        accumulate: key.accumulate)
    } else {
      preconditionFailure("a packed product without packed weights")
    }
    guard let descriptor = described else {
      preconditionFailure("oneDNN offers no matrix product for \(key)")
    }
    defer { dnnl_primitive_desc_destroy(descriptor) }
    scratchpad = OneDNN.query(descriptor, dnnl_query_scratchpad_md)
    implementation = OneDNN.implementation(descriptor)
    var made: dnnl_primitive_t?
    OneDNN.check(dnnl_primitive_create(&made, descriptor), "create matmul")
    guard let made else { preconditionFailure("oneDNN returned no primitive") }
    primitive = made
  }

  deinit { dnnl_primitive_destroy(primitive) }
}

/// The compiled primitives of a device, shared by all its workers.
final class MatmulCache: Sendable {
  private let primitives = Locked<[MatmulKey: MatmulPrimitive]>([:])

  func primitive(_ key: MatmulKey, packed: PackedOperand?) -> MatmulPrimitive {
    if let found = primitives.withLock({ $0[key] }) { return found }
    let made = MatmulPrimitive(key, packed: packed)
    return primitives.withLock {
      if let found = $0[key] { return found }
      // Each primitive contains generated code, and the shapes vary with the lengths of the sequences.
      if $0.count >= 4096 { $0.removeAll() }
      $0[key] = made
      return made
    }
  }

  /// The names of the implementations in the cache, for reports and tests.
  var implementations: Set<String> { primitives.withLock { Set($0.values.map(\.implementation)) } }
}

/// One worker's stream, memory objects and scratchpad.
final class MatmulContext {
  private struct Prepared {
    let compiled: MatmulPrimitive
    let source: dnnl_memory_t
    let weights: dnnl_memory_t
    let destination: dnnl_memory_t
    let scratchpad: dnnl_memory_t
    let scratchpadSize: Int
  }

  private let cache: MatmulCache
  private let stream: dnnl_stream_t
  private var prepared: [MatmulKey: Prepared] = [:]
  private var scratch = DeviceMemory(byteCount: 1 << 16)

  init(cache: MatmulCache) {
    self.cache = cache
    var made: dnnl_stream_t?
    OneDNN.check(
      dnnl_stream_create(&made, OneDNN.engine, UInt32(dnnl_stream_default_flags.rawValue)),
      "create stream")
    guard let made else { preconditionFailure("oneDNN returned no stream") }
    stream = made
  }

  deinit {
    forget()
    dnnl_stream_destroy(stream)
  }

  private func forget() {
    for entry in prepared.values {
      for memory in [entry.source, entry.weights, entry.destination, entry.scratchpad] {
        dnnl_memory_destroy(memory)
      }
    }
    prepared.removeAll(keepingCapacity: true)
  }

  func run(
    _ key: MatmulKey, source: UnsafeMutableRawPointer, weights: UnsafeMutableRawPointer,
    packed: PackedOperand?, destination: UnsafeMutableRawPointer
  ) {
    let entry = prepared[key] ?? prepare(key, packed: packed)
    if entry.scratchpadSize > scratch.byteCount { scratch = DeviceMemory(byteCount: entry.scratchpadSize) }
    dnnl_memory_set_data_handle(entry.source, source)
    dnnl_memory_set_data_handle(entry.weights, weights)
    dnnl_memory_set_data_handle(entry.destination, destination)
    dnnl_memory_set_data_handle(entry.scratchpad, scratch.address)
    let arguments = [
      dnnl_exec_arg_t(arg: DNNL_ARG_SRC, memory: entry.source),
      dnnl_exec_arg_t(arg: DNNL_ARG_WEIGHTS, memory: entry.weights),
      dnnl_exec_arg_t(arg: DNNL_ARG_DST, memory: entry.destination),
      dnnl_exec_arg_t(arg: DNNL_ARG_SCRATCHPAD, memory: entry.scratchpad),
    ]
    OneDNN.check(
      dnnl_primitive_execute(entry.compiled.primitive, stream, Int32(arguments.count), arguments),
      "run matmul")
    dnnl_stream_wait(stream)
  }

  private func prepare(_ key: MatmulKey, packed: PackedOperand?) -> Prepared {
    if prepared.count >= 4096 { forget() }
    let compiled = cache.primitive(key, packed: packed)
    var scratchpad = compiled.scratchpad
    let entry = Prepared(
      compiled: compiled, source: OneDNN.memoryObject(compiled.source),
      weights: OneDNN.memoryObject(compiled.weights),
      destination: OneDNN.memoryObject(compiled.destination),
      scratchpad: OneDNN.memoryObject(compiled.scratchpad),
      scratchpadSize: dnnl_memory_desc_get_size(&scratchpad))
    prepared[key] = entry
    return entry
  }
}

/// Thin wrappers of the C API. A failure is a programming error, because the callers have checked the shapes.
enum OneDNN {
  nonisolated(unsafe) static let engine: dnnl_engine_t = {
    var made: dnnl_engine_t?
    check(dnnl_engine_create(&made, dnnl_cpu, 0), "create engine")
    guard let made else { preconditionFailure("oneDNN returned no engine") }
    return made
  }()

  static func check(_ status: dnnl_status_t, _ what: String) {
    precondition(status == dnnl_success, "oneDNN failed to \(what): status \(status.rawValue)")
  }

  static func memory(_ dimensions: [Int], _ strides: [Int], _ type: dnnl_data_type_t) -> dnnl_memory_desc_t {
    var descriptor = dnnl_memory_desc_t()
    let sizes = dimensions.map { Int64($0) }
    let steps = strides.map { Int64($0) }
    check(
      dnnl_memory_desc_init_by_strides(&descriptor, Int32(sizes.count), sizes, type, steps),
      "describe memory \(dimensions)")
    return descriptor
  }

  static func anyLayout(_ dimensions: [Int], _ type: dnnl_data_type_t) -> dnnl_memory_desc_t {
    var descriptor = dnnl_memory_desc_t()
    let sizes = dimensions.map { Int64($0) }
    check(
      dnnl_memory_desc_init_by_tag(&descriptor, Int32(sizes.count), sizes, type, dnnl_format_tag_any),
      "describe memory \(dimensions)")
    return descriptor
  }

  static func memoryObject(_ descriptor: dnnl_memory_desc_t) -> dnnl_memory_t {
    var made: dnnl_memory_t?
    var descriptor = descriptor
    // A null handle: it is set before each use.
    check(dnnl_memory_create(&made, &descriptor, engine, nil), "create memory")
    guard let made else { preconditionFailure("oneDNN returned no memory") }
    return made
  }

  static func matmulDescriptor(
    source: dnnl_memory_desc_t, weights: dnnl_memory_desc_t, destination: dnnl_memory_desc_t,
    accumulate: Bool
  ) -> dnnl_primitive_desc_t? {
    var source = source
    var weights = weights
    var destination = destination
    var operation = dnnl_matmul_desc_t()
    check(dnnl_matmul_desc_init(&operation, &source, &weights, nil, &destination), "describe matmul")
    return primitiveDescriptor(&operation, accumulate: accumulate)
  }

  /// A 1x1 convolution with stride 1 and no padding: source `[1, k, m, 1]`, weights `[n, k, 1, 1]`.
  static func convolutionDescriptor(
    source: dnnl_memory_desc_t, weights: dnnl_memory_desc_t, destination: dnnl_memory_desc_t,
    accumulate: Bool
  ) -> dnnl_primitive_desc_t? {
    var source = source
    var weights = weights
    var destination = destination
    let (strides, padding): ([Int64], [Int64]) = ([1, 1], [0, 0])
    var operation = dnnl_convolution_desc_t()
    check(
      dnnl_convolution_forward_desc_init(
        &operation, dnnl_forward_inference, dnnl_convolution_direct, &source, &weights, nil, &destination,
        strides, padding, padding), "describe convolution")
    return primitiveDescriptor(&operation, accumulate: accumulate)
  }

  private static func primitiveDescriptor(_ operation: UnsafeRawPointer, accumulate: Bool)
    -> dnnl_primitive_desc_t?
  {
    var attributes: dnnl_primitive_attr_t?
    check(dnnl_primitive_attr_create(&attributes), "create attributes")
    defer { dnnl_primitive_attr_destroy(attributes) }
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "set scratchpad")
    if accumulate {
      var operations: dnnl_post_ops_t?
      check(dnnl_post_ops_create(&operations), "create post-ops")
      check(dnnl_post_ops_append_sum(operations, 1), "append sum")
      check(dnnl_primitive_attr_set_post_ops(attributes, operations), "set post-ops")
      dnnl_post_ops_destroy(operations)
    }
    var made: dnnl_primitive_desc_t?
    let status = dnnl_primitive_desc_create(&made, operation, attributes, engine, nil)
    return status == dnnl_success ? made : nil
  }

  static func query(_ descriptor: dnnl_primitive_desc_t, _ what: dnnl_query_t) -> dnnl_memory_desc_t {
    guard let found = dnnl_primitive_desc_query_md(descriptor, what, 0) else {
      preconditionFailure("oneDNN does not tell \(what)")
    }
    return found.pointee
  }

  static func implementation(_ descriptor: dnnl_primitive_desc_t) -> String {
    var name: UnsafePointer<CChar>?
    check(dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name), "name matmul")
    return name.map { String(cString: $0) } ?? "unknown"
  }

  static func reorder(
    from: inout dnnl_memory_desc_t, _ source: UnsafeMutableRawPointer, to: inout dnnl_memory_desc_t,
    _ destination: UnsafeMutableRawPointer
  ) {
    var described: dnnl_primitive_desc_t?
    check(
      dnnl_reorder_primitive_desc_create(&described, &from, engine, &to, engine, nil), "describe reorder")
    defer { dnnl_primitive_desc_destroy(described) }
    var primitive: dnnl_primitive_t?
    check(dnnl_primitive_create(&primitive, described), "create reorder")
    defer { dnnl_primitive_destroy(primitive) }
    let sourceMemory = memoryObject(from)
    let destinationMemory = memoryObject(to)
    defer {
      dnnl_memory_destroy(sourceMemory)
      dnnl_memory_destroy(destinationMemory)
    }
    dnnl_memory_set_data_handle(sourceMemory, source)
    dnnl_memory_set_data_handle(destinationMemory, destination)
    var stream: dnnl_stream_t?
    check(dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)), "create stream")
    defer { dnnl_stream_destroy(stream) }
    let arguments = [
      dnnl_exec_arg_t(arg: DNNL_ARG_FROM, memory: sourceMemory),
      dnnl_exec_arg_t(arg: DNNL_ARG_TO, memory: destinationMemory),
    ]
    check(dnnl_primitive_execute(primitive, stream, 2, arguments), "run reorder")
    dnnl_stream_wait(stream)
  }
}

extension ElementType {
  var dnnl: dnnl_data_type_t { self == .float32 ? dnnl_f32 : dnnl_bf16 }
}
