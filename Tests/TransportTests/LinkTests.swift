import TestSupport
import Testing
import Transport

@Suite struct LinkTests {
  @Test func messagesOverALinkFollowOneAnother() {
    var links = OutgoingLinks([1: LinkShape(bandwidth: 100, latency: 2)])
    #expect(links.arrival(of: 50, to: 1, now: 10) == 12.5)
    #expect(links.arrival(of: 100, to: 1, now: 10) == 13.5)
    #expect(links.arrival(of: 0, to: 1, now: 20) == 22)
    // Links to other ranks take no time here.
    #expect(links.arrival(of: 1000, to: 2, now: 10) == 10)
  }

  @Test func aSharedUplinkSendsOneMessageAtATime() {
    let link = LinkShape(bandwidth: 10, latency: 0.5)
    var alone = OutgoingLinks(rest: link)
    #expect([1, 2].map { alone.arrival(of: 10, to: $0, now: 0) } == [1.5, 1.5])
    var shared = OutgoingLinks(rest: link, sharedUplink: true)
    #expect([1, 2].map { shared.arrival(of: 10, to: $0, now: 0) } == [1.5, 2.5])
  }

  @Test func aShapedTransportIsNeverFasterThanItsLink() throws {
    let job = InProcessTransport.job(size: 2)
    let shaped = ShapedTransport(job[0], links: OutgoingLinks(rest: LinkShape(bandwidth: 1e6, latency: 0.01)))
    let buffers = (0..<3).map { _ in MessageBuffer(count: 10_000) }
    let receives = buffers.map { job[1].receive(into: $0, from: 0, tag: Tag(1)) }
    let start = ContinuousClock.now
    for number in 0..<3 {
      shaped.send(MessageBuffer([UInt8](repeating: UInt8(number), count: 10_000)), to: 1, tag: Tag(1))
    }
    for (number, receive) in receives.enumerated() {
      try receive.wait(timeout: .seconds(30))
      #expect(ContinuousClock.now - start >= .milliseconds(10 * (number + 2)))
      #expect(buffers[number].bytes.allSatisfy { $0 == UInt8(number) })
    }
  }

  @Test func messagesHeldBackGoOutWithoutTheirTransport() throws {
    let job = InProcessTransport.job(size: 2)
    let receive = job[1].receive(into: MessageBuffer(count: 1), from: 0, tag: Tag(1))
    do {
      let shaped = ShapedTransport(job[0], links: OutgoingLinks(rest: LinkShape(latency: 0.05)))
      shaped.send(MessageBuffer(count: 1), to: 1, tag: Tag(1))
    }
    #expect(try receive.wait(timeout: .seconds(30)) == 1)
  }

  @Test func aLineThroughExactTimesIsFound() throws {
    let samples = [8, 1000, 100_000, 4_000_000].map {
      LinkSample(bytes: $0, seconds: 0.001 + Double($0) / 5e6)
    }
    let fit = try #require(LinkFit(samples))
    #expect(abs(fit.latency - 0.001) < 1e-9)
    #expect(abs(fit.bandwidth - 5e6) < 1)
    #expect(fit.residual < 1e-9)
    #expect(abs(fit.seconds(bytes: 5_000_000) - 1.001) < 1e-6)
  }

  @Test func theResidualIsTheLargestRelativeDifference() throws {
    var samples = [LinkSample(bytes: 0, seconds: 1), LinkSample(bytes: 10, seconds: 2)]
    samples.append(LinkSample(bytes: 20, seconds: 4))
    let fit = try #require(LinkFit(samples))
    let differences = samples.map { abs(fit.seconds(bytes: $0.bytes) - $0.seconds) / $0.seconds }
    #expect(abs(fit.residual - (differences.max() ?? 0)) < 1e-12)
    #expect(fit.latency == 1)
    // No other slope has a smaller sum.
    func cost(_ slope: Double) -> Double {
      samples.reduce(0) { sum, sample in
        let error = 1 + Double(sample.bytes) * slope - sample.seconds
        return sum + error * error / sample.seconds
      }
    }
    let slope = 1 / fit.bandwidth
    #expect(cost(slope) > 0.05)
    #expect(cost(slope) < min(cost(slope + 1e-4), cost(slope - 1e-4)))
  }

  /// Measured over a link shaped to 12.5 MB/s with a 32 KB bucket; Ethernet frames leave 11.9 MB/s of
  /// payload.
  @Test func aBurstDoesNotHideTheBandwidth() throws {
    let times = [
      (8, 404e-6), (1024, 404e-6), (16_384, 533e-6), (131_072, 10.58e-3), (1_048_576, 87.4e-3),
      (4_194_304, 350.6e-3),
    ]
    let fit = try #require(LinkFit(times.map { LinkSample(bytes: $0.0, seconds: $0.1) }))
    #expect(abs(fit.bandwidth / 11.9e6 - 1) < 0.03)
    #expect(abs(fit.latency / 404e-6 - 1) < 0.03)
    #expect(fit.residual > 1)
  }

  @Test func aSmallMessageThatWasHeldUpIsNoLatency() throws {
    let times = [(8, 0.003), (1000, 0.001), (1_000_000, 0.002)]
    let fit = try #require(LinkFit(times.map { LinkSample(bytes: $0.0, seconds: $0.1) }))
    #expect(abs(fit.latency - 0.001) < 1e-8)
    #expect(abs(fit.bandwidth / 1e9 - 1) < 0.01)
  }

  @Test func aLatencyIsNeverNegative() throws {
    let fit = try #require(LinkFit([LinkSample(bytes: 10, seconds: 1), LinkSample(bytes: 20, seconds: 3)]))
    #expect(fit.latency == 0)
    #expect(LinkFit([LinkSample(bytes: 10, seconds: 1), LinkSample(bytes: 10, seconds: 2)]) == nil)
    #expect(LinkFit([LinkSample(bytes: 10, seconds: 2), LinkSample(bytes: 1000, seconds: 0.001)]) == nil)
  }

  /// Checks only bounds that hold on any slow machine: nothing is faster than its described link.
  @Test func theProfilerMeasuresEveryLink() throws {
    let job = InProcessTransport.job(size: 3).map { rank in
      ShapedTransport(
        rank, links: OutgoingLinks(rest: LinkShape(bandwidth: 1e6 * Double(rank.rank + 1), latency: 0.001)))
    }
    var profiler = LinkProfiler()
    profiler.sizes = [8, 5_000, 20_000]
    profiler.repetitions = 3
    let settings = profiler
    let outcomes = onEveryRank(job) { try settings.measure(over: $0) }
    let links = try outcomes[0].get()
    #expect(
      links.map { [$0.source, $0.destination] } == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]])
    for link in links {
      #expect(link.samples.map(\.bytes) == [8, 5_000, 20_000])
      #expect(link.samples.allSatisfy { $0.seconds > 0 })
      #expect(link.samples[2].seconds > 20_000 / (1e6 * Double(link.source + 1)) / 2)
    }
    #expect(try outcomes[2].get() == links.filter { $0.destination == 2 })
  }
}
