import TestSupport
import Testing
import Transport

@Suite struct JobAgreementTests {
  private func rank(_ host: String, _ program: String, _ model: String) -> JobAgreement {
    JobAgreement(
      host: host,
      facts: [
        JobAgreement.Fact("the program", program, remedy: "put the same build on every host"),
        JobAgreement.Fact("the model", model, remedy: "copy it"),
      ])
  }

  @Test func ranksThatAgree() {
    #expect(JobAgreement.disagreement([rank("a", "1", "m"), rank("b", "1", "m")]) == nil)
  }

  @Test func ranksThatDifferAreNamed() {
    let ranks = [rank("a", "1", "m"), rank("b", "1", "n"), rank("b", "1", "m"), rank("c", "1", "n")]
    #expect(
      JobAgreement.disagreement(ranks)
        == "rank 1 on host 'b', rank 3 on host 'c': the model is n, but m for rank 0 on host 'a'; copy it")
  }

  @Test func theFirstDifferenceIsToldFirst() {
    let text = JobAgreement.disagreement([rank("a", "1", "m"), rank("b", "2", "n")])
    #expect(
      text == "rank 1 on host 'b': the program is 2, but 1 for rank 0 on host 'a'; "
        + "put the same build on every host")
  }

  @Test func aProblemOfOneRankAndOfAll() {
    let lost = JobAgreement(host: "b", problem: "m.gguf: no such file; copy it")
    #expect(
      JobAgreement.disagreement([rank("a", "1", "m"), lost])
        == "rank 1 on host 'b': m.gguf: no such file; copy it")
    #expect(JobAgreement.disagreement([lost, lost]) == "m.gguf: no such file; copy it")
  }

  @Test func everyRankHasTheSameAnswer() throws {
    let different = [rank("a", "1", "m"), rank("b", "1", "n"), rank("c", "1", "m")]
    let refusals = try run(different)
    #expect(Set(refusals.map { $0?.description }).count == 1)
    #expect(refusals[0]?.description.hasPrefix("rank 1 on host 'b': the model is n") == true)
    let agreed = try run(Array(repeating: different[0], count: 3))
    #expect(agreed.allSatisfy { $0 == nil })
  }

  private func run(_ ranks: [JobAgreement]) throws -> [JobRefusal?] {
    try onEveryRank(InProcessTransport.job(size: ranks.count)) { transport -> JobRefusal? in
      do {
        try ranks[transport.rank].confirm(over: transport, timeout: .seconds(10))
        return nil
      } catch let refusal as JobRefusal {
        return refusal
      }
    }.map { try $0.get() }
  }
}
