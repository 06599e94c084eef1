import Foundation

/// Measures every directed link of a job, one link at a time.
///
/// The receiver measures, because a sender's wait ends before the bytes are there. Ranks' clocks differ, so
/// the receiver starts the clock itself: it asks for a message of a size and takes the time until it has it,
/// less half an empty round trip for the request. No message counts as faster than an empty one.
package struct LinkProfiler: Sendable {
  /// The sizes of the messages in bytes, ascending. Default: 8 B to 4 MiB.
  package var sizes = [8, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22]
  /// Measurements of each size; their median counts. Default: 7.
  package var repetitions = 7
  /// Larger sizes are left out, and repetitions cut, once one size has taken this long, in seconds, as long
  /// as there are two sizes. Default: 2.
  package var secondsPerSize = 2.0
  /// The deadline of each wait in seconds; a rank waits that long for its turn at each link. Default: 60.
  package var deadline = 60.0

  /// The default settings.
  package init() {}

  /// Measures all links. Every rank calls this.
  ///
  /// - Returns: on rank 0 all measurements, ordered by source and destination; elsewhere this rank's own.
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
        try transport.barrier(seconds: deadline)
      }
    }
    let all = try transport.gather(Array(JSONEncoder().encode(mine)), seconds: deadline)
    guard transport.rank == 0 else { return mine }
    return try all.flatMap { try JSONDecoder().decode([LinkMeasurement].self, from: Data($0)) }
      .sorted { ($0.source, $0.destination) < ($1.source, $1.destination) }
  }

  /// The sender's part: messages of the sizes that are asked for, until a negative one.
  private func answer(_ peer: Int, _ transport: any Transport) throws(TransportError) {
    let request = MessageBuffer(count: 8)
    let payload = MessageBuffer(count: sizes.max() ?? 0)
    while true {
      try transport.receive(into: request, from: peer, tag: .profile).wait(seconds: deadline)
      let size = Int(Int64(littleEndian: request.bytes.load(as: Int64.self)))
      if size < 0 { return }
      try transport.send(payload, count: size, to: peer, tag: .profile).wait(seconds: deadline)
    }
  }

  /// The receiver's part: one sample for each size.
  private func ask(_ peer: Int, _ transport: any Transport) throws(TransportError) -> [LinkSample] {
    let request = MessageBuffer(count: 8)
    let payload = MessageBuffer(count: sizes.max() ?? 0)
    func order(_ size: Int) throws(TransportError) {
      request.bytes.storeBytes(of: Int64(size).littleEndian, as: Int64.self)
      try transport.send(request, to: peer, tag: .profile).wait(seconds: deadline)
    }
    func seconds(_ size: Int) throws(TransportError) -> Double {
      let start = Clock.now
      let message = transport.receive(into: payload, count: size, from: peer, tag: .profile)
      try order(size)
      try message.wait(seconds: deadline)
      return Clock.now - start
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
    // The first messages open the connection and wait behind what was sent before; the fastest round trip
    // is the one without that.
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
