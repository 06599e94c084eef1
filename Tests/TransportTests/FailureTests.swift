import TestSupport
import Testing
import Transport

@Suite struct FailureTests {
  private let ranks = InProcessTransport.job(size: 3)

  @Test func aDeadlineNamesTheRankAndWhatWasWaitedFor() throws {
    let buffer = MessageBuffer(count: 4096)
    let receive = ranks[1].receive(into: buffer, from: 2, tag: Tag(7))
    let error = #expect(throws: TransportError.self) { try receive.wait(timeout: .seconds(0.01)) }
    #expect(
      error?.description
        == "rank 1 waited 0.01 s for up to 4096 bytes from rank 2 (tag 7); "
        + "rank 2 is stopped, overloaded or cut off")
    let send = ranks[1].send(buffer, to: 2, tag: Tag(9))
    #expect(
      throws: TransportError.timeout(
        rank: 1, waitingFor: "4096 bytes to be taken by rank 2 (tag 9)", peer: 2, after: .zero)
    ) { try send.wait(timeout: .seconds(0)) }
  }

  @Test func aTransferStaysInFlightAfterItsDeadline() throws {
    let buffer = MessageBuffer(count: 4)
    let receive = ranks[1].receive(into: buffer, from: 0, tag: Tag(1))
    #expect(throws: TransportError.self) { try receive.wait(timeout: .seconds(0)) }
    ranks[0].send(MessageBuffer(text: "late"), to: 1, tag: Tag(1))
    #expect(try receive.wait(timeout: .seconds(0)) == 4)
    #expect(buffer.text(4) == "late")
  }

  @Test func aRankThatLeavesFailsWhatOthersWaitForFromIt() throws {
    let early = ranks[0].receive(into: MessageBuffer(count: 1), from: 2, tag: Tag(1))
    let other = ranks[0].receive(into: MessageBuffer(count: 1), from: 1, tag: Tag(1))
    ranks[2].leave("it was killed")
    let late = ranks[0].send(MessageBuffer(count: 1), to: 2, tag: Tag(1))
    let own = ranks[2].send(MessageBuffer(count: 1), to: 0, tag: Tag(1))
    for transfer in [early, late, own] {
      #expect(transfer.isEnded)
      #expect(throws: TransportError.self) { try transfer.wait(timeout: .seconds(0)) }
    }
    let error = #expect(throws: TransportError.self) { try early.wait(timeout: .seconds(0)) }
    #expect(
      error?.description
        == "rank 0 waited for up to 1 bytes from rank 2 (tag 1); rank 2 is gone: it was killed")
    ranks[1].send(MessageBuffer(count: 1), to: 0, tag: Tag(1))
    #expect(try other.wait(timeout: .seconds(0)) == 1)
  }

  @Test func anAbortEndsEveryWait() throws {
    let outcomes = onEveryRank(ranks) { transport in
      if transport.rank == 1 { transport.abort("the loss is not a number", code: 1) }
      try transport.barrier(timeout: .seconds(30))
    }
    for outcome in outcomes {
      #expect(throws: TransportError.aborted(byRank: 1, message: "the loss is not a number")) {
        try outcome.get()
      }
    }
  }

  @Test func aSupervisorReadsAnAbortBack() {
    let notice = AbortNotice(rank: 12, message: "two\nlines @abort \"twice\"")
    #expect(notice.line(forSupervisor: false) == "rank 12 ended the job: two lines @abort \"twice\"")
    let blame = AbortNotice(rank: 2, suspect: 1, message: "rank 1 is gone")
    #expect(blame.line(forSupervisor: false) == "rank 2 ended the job because of rank 1: rank 1 is gone")
    for notice in [notice, blame] {
      #expect(AbortNotice(line: notice.line(forSupervisor: true)) == notice)
      #expect(AbortNotice(line: "step 3 of" + notice.line(forSupervisor: true)) == notice)
      #expect(AbortNotice(line: "@abort {" + notice.line(forSupervisor: true) + "step 3 of") == notice)
      #expect(AbortNotice(line: notice.description) == nil)
    }
    for line in ["", "@abort ", "@abort {}", #"@abort {"rank":-1,"message":"no"}"#] {
      #expect(AbortNotice(line: line) == nil)
    }
  }

  @Test func aBarrierNamesTheRankThatDidNotCome() {
    let outcomes = onEveryRank(InProcessTransport.job(size: 4)) { transport in
      guard transport.rank != 2 else { return }
      do throws(TransportError) {
        try transport.barrier(timeout: .seconds(0.5))
      } catch {
        transport.abort("\(error)", code: 1)
        throw error
      }
    }
    let messages = outcomes.map { outcome in
      if case .failure(let error) = outcome { "\(error)" } else { "" }
    }
    #expect(
      messages[0]
        == "rank 0 waited 0.5 s for up to 0 bytes from rank 2 (barrier); "
        + "rank 2 is stopped, overloaded or cut off")
    // Rank 0 reports the error to the others.
    for rank in [1, 3] { #expect(messages[rank].hasSuffix(messages[0])) }
  }
}
