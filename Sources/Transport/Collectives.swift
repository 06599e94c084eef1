/// Collective operations for small payloads. Every rank must call them, in the same order.
extension Transport {
  /// Returns once every rank has called it.
  ///
  /// Rank 0 waits for each rank and then releases all, so its error names the rank that did not arrive. The
  /// others wait twice as long, so that rank 0 reports the error before they blame rank 0.
  package func barrier(timeout: Duration) throws(TransportError) {
    let token = MessageBuffer(count: 0)
    if rank == 0 {
      let arrivals = others.map { receive(into: token, from: $0, tag: .barrier) }
      for arrival in arrivals { try arrival.wait(timeout: timeout) }
      let releases = others.map { send(token, to: $0, tag: .release) }
      for release in releases { try release.wait(timeout: timeout) }
    } else {
      try send(token, to: 0, tag: .barrier).wait(timeout: timeout)
      try receive(into: token, from: 0, tag: .release).wait(timeout: timeout * 2)
    }
  }

  /// Gives every rank a copy of one rank's bytes, along a binomial tree: `log2(size)` messages in sequence.
  ///
  /// - Parameters:
  ///   - payload: the bytes; used on the root only.
  ///   - root: the rank that has them.
  ///   - limit: the maximum length that the other ranks accept, in bytes.
  ///   - timeout: that of each wait.
  /// - Returns: the root's bytes, on every rank.
  package func broadcast(
    _ payload: [UInt8], from root: Int = 0, limit: Int = Self.usualLimit, timeout: Duration
  ) throws(TransportError) -> [UInt8] {
    // Ranks are counted from the root. A rank's parent is the rank without its lowest set bit; its children
    // have one more bit set, below that one.
    let position = (rank - root + size) % size
    var payload = payload
    var bit = 1
    while bit < size && position & bit == 0 { bit <<= 1 }
    if position != 0 {
      payload = try receiveCounted(
        from: (position - bit + root) % size, tag: .broadcast, limit: limit, timeout: timeout)
    }
    var sends: [Transfer] = []
    bit >>= 1
    while bit > 0 {
      if position + bit < size {
        sends += startCounted(payload, to: (position + bit + root) % size, tag: .broadcast)
      }
      bit >>= 1
    }
    for transfer in sends { try transfer.wait(timeout: timeout) }
    return payload
  }

  /// Collects bytes from every rank.
  ///
  /// - Returns: on the root the payloads in rank order, on other ranks nothing.
  package func gather(
    _ payload: [UInt8], to root: Int = 0, timeout: Duration
  ) throws(TransportError) -> [[UInt8]] {
    guard rank == root else {
      try sendCounted(payload, to: root, tag: .gather, timeout: timeout)
      return []
    }
    var payloads: [[UInt8]] = []
    for source in 0..<size {
      payloads.append(
        source == rank
          ? payload
          : try receiveCounted(from: source, tag: .gather, limit: Self.usualLimit, timeout: timeout))
    }
    return payloads
  }

  private var others: [Int] { (0..<size).filter { $0 != rank } }

  /// Sends a message of a length that the receiver does not know: the length, then the bytes. Waits until
  /// both have been received.
  package func sendCounted(
    _ payload: [UInt8], to destination: Int, tag: Tag, timeout: Duration
  ) throws(TransportError) {
    for transfer in startCounted(payload, to: destination, tag: tag) { try transfer.wait(timeout: timeout) }
  }

  private func startCounted(_ payload: [UInt8], to destination: Int, tag: Tag) -> [Transfer] {
    let length = MessageBuffer(count: 8)
    length.bytes.storeBytes(of: UInt64(payload.count).littleEndian, as: UInt64.self)
    return [
      send(length, to: destination, tag: tag), send(MessageBuffer(payload), to: destination, tag: tag),
    ]
  }

  /// The limit of a message whose length is announced, in bytes, unless its receiver knows a better one: more
  /// than a plan over 100,000 devices.
  package static var usualLimit: Int { 1 << 28 }

  /// Receives a message from `sendCounted`.
  ///
  /// - Parameter limit: the maximum length in bytes.
  /// - Throws: `TransportError.invalidMessage` if its length is not the announced one, or is more than this
  ///   process can hold; the transport's errors.
  package func receiveCounted(
    from source: Int, tag: Tag, limit: Int, timeout: Duration
  ) throws(TransportError) -> [UInt8] {
    let length = MessageBuffer(count: 8)
    try receive(into: length, from: source, tag: tag).wait(timeout: timeout)
    let announced = UInt64(littleEndian: length.bytes.load(as: UInt64.self))
    guard announced <= UInt64(limit), let buffer = MessageBuffer(announced: Int(announced)) else {
      throw invalid("\(tag)", from: source, "it announces \(announced) bytes")
    }
    let count = try receive(into: buffer, from: source, tag: tag).wait(timeout: timeout)
    guard count == buffer.count else {
      throw invalid("\(tag)", from: source, "it has \(count) bytes, not the \(announced) announced")
    }
    return buffer.prefix(count)
  }
}
