import Foundation
import MPITransport
import Transport

/// The modes of the probe, as run on every rank.
struct Probe {
  let transport: any Transport
  let timeout: Duration

  private var rank: Int { transport.rank }
  private var peers: [Int] { (0..<transport.size).filter { $0 != rank } }

  /// Every rank sends every other rank messages of many sizes under two tags, all in flight at once. Receives
  /// of the second tag are posted first, and the last ones are waited for first. Then come the collective
  /// operations.
  func check(largestPart: Int) throws {
    let sizes =
      (0..<40).map { $0 * 7 } + [65_536, 300_000, 5_000_000]
      + (largestPart < 1 << 30 ? [largestPart, 2 * largestPart, 2 * largestPart + 1] : [])
    var sends: [Transfer] = []
    var receives: [(Int, Int, Int, MessageBuffer, Transfer)] = []
    for peer in peers {
      for tag in [2, 1] {
        for (index, size) in sizes.enumerated() {
          let buffer = MessageBuffer(count: size)
          let transfer = transport.receive(into: buffer, from: peer, tag: Tag(tag))
          receives.append((peer, tag, index, buffer, transfer))
        }
      }
      for tag in [1, 2] {
        for (index, size) in sizes.enumerated() {
          let buffer = MessageBuffer(count: size)
          fill(buffer, from: rank, to: peer, tag: tag, index: index)
          sends.append(transport.send(buffer, to: peer, tag: Tag(tag)))
        }
      }
    }
    for (peer, tag, index, buffer, transfer) in receives.reversed() {
      let length = try transfer.wait(timeout: timeout)
      let expected = MessageBuffer(count: sizes[index])
      fill(expected, from: peer, to: rank, tag: tag, index: index)
      guard length == sizes[index], buffer.bytes.elementsEqual(expected.bytes) else {
        throw ProbeError(description: "message \(index) of tag \(tag) from rank \(peer) arrived changed")
      }
    }
    for transfer in sends { try transfer.wait(timeout: timeout) }

    for root in 0..<transport.size {
      let payload = rank == root ? [UInt8]("from \(root)".utf8) : []
      let text = String(
        decoding: try transport.broadcast(payload, from: root, timeout: timeout), as: UTF8.self)
      guard text == "from \(root)" else { throw ProbeError(description: "broadcast gave '\(text)'") }
      let all = try transport.gather(
        [UInt8](repeating: UInt8(rank), count: rank), to: root, timeout: timeout)
      guard rank != root || all == (0..<transport.size).map({ .init(repeating: UInt8($0), count: $0) }) else {
        throw ProbeError(description: "gather gave \(all)")
      }
    }
    try transport.barrier(timeout: timeout)
    say("rank \(rank) of \(transport.size): check passed, \(receives.count) messages")
  }

  private func fill(_ buffer: MessageBuffer, from: Int, to: Int, tag: Int, index: Int) {
    var state = UInt64(from) << 48 ^ UInt64(to) << 32 ^ UInt64(tag) << 16 ^ UInt64(index)
    for place in buffer.bytes.indices {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      buffer.bytes[place] = UInt8(truncatingIfNeeded: state >> 56)
    }
  }

  func long(bytes: Int) throws {
    let buffer = MessageBuffer(count: bytes)
    let places = stride(from: 0, to: bytes, by: 4099)
    if rank == 0 {
      for place in places { buffer.bytes[place] = UInt8(truncatingIfNeeded: place / 4099) }
      try transport.send(buffer, to: 1, tag: Tag(1)).wait(timeout: timeout)
    } else if rank == 1 {
      let length = try transport.receive(into: buffer, from: 0, tag: Tag(1)).wait(timeout: timeout)
      guard length == bytes,
        places.allSatisfy({ buffer.bytes[$0] == UInt8(truncatingIfNeeded: $0 / 4099) })
      else { throw ProbeError(description: "the message arrived changed") }
      say("received \(length) bytes")
    }
  }

  func fit(_ sizes: [Int]) throws {
    guard sizes.count == 2 else { throw ProbeError(description: TransportProbe.usage) }
    if rank == 0 {
      try transport.send(MessageBuffer(count: sizes[0]), to: 1, tag: Tag(1)).wait(timeout: timeout)
    } else if rank == 1 {
      let receive = transport.receive(into: MessageBuffer(count: sizes[1]), from: 0, tag: Tag(1))
      say("received \(try receive.wait(timeout: timeout)) bytes")
    }
  }

  func profile() throws {
    let links = try LinkProfiler().measure(over: transport)
    guard rank == 0 else { return }
    for link in links {
      guard let fit = link.fit else {
        throw ProbeError(description: "cannot fit a line through \(link.samples)")
      }
      let text = String(
        format: "%d -> %d  latency %.1f us  bandwidth %.1f MB/s  residual %.0f %%", link.source,
        link.destination, fit.latency * 1e6, fit.bandwidth / 1e6, fit.residual * 100)
      let samples = link.samples.map { String(format: "%d B %.1f us", $0.bytes, $0.seconds * 1e6) }
      say("\(text)  (\(samples.joined(separator: ", ")))")
    }
  }

  func overlap(for time: Duration) throws {
    let buffer = MessageBuffer(count: 4_000_000)
    let receive = rank == 1 ? transport.receive(into: buffer, from: 0, tag: Tag(1)) : nil
    try transport.barrier(timeout: timeout)
    let start = ContinuousClock.now
    if rank == 0 {
      let send = transport.send(buffer, to: 1, tag: Tag(1))
      var sum = 0.0
      while ContinuousClock.now < start + time { sum += 1 / (sum + 1) }
      try send.wait(timeout: timeout)
    } else if let receive {
      try receive.wait(timeout: timeout)
      let taken = ContinuousClock.now - start
      say(String(format: "received after %.4f s", taken / .seconds(1)))
      guard taken < time / 2 else {
        throw ProbeError(description: "the message waited for the sender's computing")
      }
    }
  }

  func idle(for time: Duration) throws {
    let buffer = MessageBuffer(count: 8)
    try transport.barrier(timeout: timeout)
    if rank == 1 {
      Thread.sleep(forTimeInterval: time / .seconds(1))
      try transport.send(buffer, to: 0, tag: Tag(1)).wait(timeout: timeout)
    } else if rank == 0 {
      let before = processorSeconds()
      try transport.receive(into: buffer, from: 1, tag: Tag(1)).wait(timeout: time + timeout)
      let used = (processorSeconds() - before) / (time / .seconds(1))
      say(String(format: "waiting took %.2f %% of a processor", used * 100))
      // MPI's own wait uses all of it.
      if used > 0.2 { throw ProbeError(description: "waiting took \(used * 100) % of a processor") }
    }
  }

  private func processorSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
  }

  /// Every rank sends to the next one and receives from the previous one ten times a second.
  func ring() throws {
    say("rank \(rank) is process \(getpid())")
    let buffer = MessageBuffer(count: 8)
    let (next, previous) = ((rank + 1) % transport.size, (rank + transport.size - 1) % transport.size)
    while true {
      transport.send(buffer, to: next, tag: Tag(1))
      try transport.receive(into: MessageBuffer(count: 8), from: previous, tag: Tag(1))
        .wait(timeout: timeout)
      Thread.sleep(forTimeInterval: 0.1)
    }
  }

  func quit() throws {
    if rank == transport.size - 1 { exit(7) }
    try transport.barrier(timeout: timeout)
  }

  func watch() {
    say("rank \(rank) is process \(getpid())")
    Thread.sleep(forTimeInterval: 3600)
  }
}
