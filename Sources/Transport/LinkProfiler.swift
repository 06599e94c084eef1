import Foundation

/// Measures every directed link of a job, one link at a time.
///
/// The receiver measures, because a sender's wait ends before the bytes arrive. The ranks' clocks differ, so
/// the receiver requests a message of a given size and measures the time until it arrives, less half an empty
/// round trip for the request. No message counts as faster than an empty one.
package struct LinkProfiler: Sendable {
  /// The sizes of the messages in bytes, ascending. Default: 8 B to 4 MiB.
  package var sizes = [8, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22]
  /// Measurements per size; their median is used. Default: 7.
  package var repetitions = 7
  /// Once one size has taken this many seconds, its repetitions are cut and larger sizes are skipped, as long
  /// as there are two sizes. Default: 2.
  package var secondsPerSize = 2.0
  /// The timeout of each wait; a rank waits at most this long for its turn at each link. Default: 60 s.
  package var timeout = Duration.seconds(60)

  package init() {}

  /// Measures all links. Every rank calls this.
  ///
  /// - Returns: on rank 0 all measurements, ordered by source and destination; on other ranks their own.
  package func measure(over transport: any Transport) throws -> [LinkMeasurement] {
    var mine: [LinkMeasurement] = []
    for source in 0..<transport.size {
      for destination in 0..<transport.size where destination != source {
        if transport.rank == destination {
          let samples = try ask(source, transport)
          mine.append(
            LinkMeasurement(
              source: source, destination: destination, samples: samples, fit: LinkFit(samples)))
        } else if transport.rank == source {
          try answer(destination, transport)
        }
        try transport.barrier(timeout: timeout)
      }
    }
    let all = try transport.gather(mine, as: "its links' times", timeout: timeout)
    guard transport.rank == 0 else { return mine }
    let links = all.flatMap(\.self)
    let ranks = 0..<transport.size
    guard links.allSatisfy({ ranks ~= $0.source && ranks ~= $0.destination }) else {
      throw transport.invalid("the links' times", from: 0, "they name a rank that does not exist")
    }
    return links.sorted { ($0.source, $0.destination) < ($1.source, $1.destination) }
  }

  /// The sender's part: sends messages of the requested sizes until a negative size is requested.
  private func answer(_ peer: Int, _ transport: any Transport) throws(TransportError) {
    let request = MessageBuffer(count: 8)
    let payload = MessageBuffer(count: sizes.max() ?? 0)
    while true {
      try transport.receive(into: request, from: peer, tag: .profile).wait(timeout: timeout)
      let size = Int(Int64(littleEndian: request.bytes.load(as: Int64.self)))
      if size < 0 { return }
      guard size <= payload.count else {
        throw transport.invalid("a request", from: peer, "it asks for \(size) bytes")
      }
      try transport.send(payload, count: size, to: peer, tag: .profile).wait(timeout: timeout)
    }
  }

  /// The receiver's part: measures one sample for each size.
  private func ask(_ peer: Int, _ transport: any Transport) throws(TransportError) -> [LinkSample] {
    let request = MessageBuffer(count: 8)
    let payload = MessageBuffer(count: sizes.max() ?? 0)
    func order(_ size: Int) throws(TransportError) {
      request.bytes.storeBytes(of: Int64(size).littleEndian, as: Int64.self)
      try transport.send(request, to: peer, tag: .profile).wait(timeout: timeout)
    }
    func seconds(_ size: Int) throws(TransportError) -> Double {
      let start = ContinuousClock.now
      let message = transport.receive(into: payload, count: size, from: peer, tag: .profile)
      try order(size)
      try message.wait(timeout: timeout)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    func median(_ size: Int) throws(TransportError) -> (median: Double, sum: Double) {
      var times: [Double] = []
      var sum = 0.0
      while times.count < repetitions && (times.isEmpty || sum < secondsPerSize) {
        times.append(try seconds(size))
        sum += times[times.count - 1]
      }
      return (times.sorted()[times.count / 2], sum)
    }
    // The first messages open the connection and wait behind earlier ones; the fastest round trip is free of
    // that.
    var roundTrip = Double.infinity
    for _ in 0..<20 { roundTrip = min(roundTrip, try seconds(0)) }
    let requestTime = roundTrip / 2
    var samples: [LinkSample] = []
    for size in sizes {
      let (median, sum) = try median(size)
      samples.append(LinkSample(bytes: size, seconds: max(median - requestTime, requestTime)))
      if samples.count >= 2 && sum >= secondsPerSize { break }
    }
    try order(-1)
    return samples
  }
}
