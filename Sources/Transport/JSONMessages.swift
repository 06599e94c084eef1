import Foundation

/// Values as JSON over the collectives. What arrives is checked as any file is: another rank may run another
/// program.
extension Transport {
  /// Every rank's value, on the root in rank order, elsewhere nothing.
  ///
  /// - Parameter what: what the values are, for messages.
  /// - Throws: `TransportError.invalidMessage` for a value that cannot be read; the transport's errors.
  package func gather<Value: Codable>(
    _ value: Value, as what: String, to root: Int = 0, timeout: Duration
  ) throws -> [Value] {
    try gather(Array(JSONEncoder().encode(value)), to: root, timeout: timeout).enumerated().map {
      try decode(Value.self, $1, as: what, from: $0)
    }
  }

  /// The root's value, on every rank.
  ///
  /// - Parameters:
  ///   - value: the value; used on the root only, where it must not be `nil`.
  ///   - what: what the value is, for messages.
  /// - Throws: `TransportError.invalidMessage` if it cannot be read; the transport's errors.
  package func broadcast<Value: Codable>(
    _ value: @autoclosure () -> Value?, as what: String, from root: Int = 0, timeout: Duration
  ) throws -> Value {
    let own = rank == root ? Array(try JSONEncoder().encode(value())) : []
    return try decode(Value.self, broadcast(own, from: root, timeout: timeout), as: what, from: root)
  }

  private func decode<Value: Decodable>(
    _: Value.Type, _ bytes: [UInt8], as what: String, from peer: Int
  ) throws(TransportError) -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(bytes))
    } catch {
      throw invalid(what, from: peer, "it is not what this version sends: use one build on all machines")
    }
  }

  /// The error for a message that cannot be used.
  package func invalid(_ what: String, from peer: Int, _ detail: String) -> TransportError {
    .invalidMessage(rank: rank, waitingFor: "\(what) from rank \(peer)", peer: peer, detail: detail)
  }
}
