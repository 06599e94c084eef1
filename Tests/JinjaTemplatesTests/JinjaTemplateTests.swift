import Foundation
import JinjaTemplates
import StrictJSON
import Synchronization
import Testing

@Suite("Jinja templates")
struct JinjaTemplateTests {
  func render(_ source: String, _ variables: [String: JSONValue] = [:]) throws(TemplateError)
    -> String
  {
    try JinjaTemplate(source: source).render(variables)
  }

  @Test
  func errorsNameTheLineAndTheReason() {
    let cases: [(String, String)] = [
      ("a\n\n{% if x %}", "chat template, line 3: 'if' has no 'endif'"),
      ("{{ a\n b }}", "chat template, line 2: the end of the tag expected, found 'b'"),
      (
        "\n{{ missing.name }}",
        "chat template, line 2: 'missing' is undefined; its attribute 'name' was requested"
      ),
      (
        "{% include 'x' %}",
        "chat template, line 1: the statement 'include' is not supported; simplify the template"
      ),
      (
        "{{ 1 | wordwrap }}",
        "chat template, line 1: the filter 'wordwrap' is not supported; simplify the template"
      ),
      (
        "{{ '{}'.format(1) }}",
        "chat template, line 1: the string method 'format' is not supported; simplify the template"
      ),
      ("{{ raise_exception('Roles!') }}", "the chat template rejects this conversation: Roles!"),
      ("{{ range(10 ** 6) }}", "chat template, line 1: 'range' gives more than 100000 numbers"),
      ("{{ 9223372036854775807 + 1 }}", "chat template, line 1: a number is too large"),
      ("{{ 'ab' * 10 ** 12 }}", "chat template, line 1: the repeated text is too long"),
      (
        "{{ strftime_now('%d') }}",
        "chat template, line 1: an undefined value ('strftime_now' is undefined) cannot be called"
      ),
    ]
    for (source, expected) in cases {
      let error = #expect(throws: TemplateError.self) { try render(source) }
      #expect(error?.description == expected)
    }
  }

  @Test
  func runawayTemplatesEndInAnError() throws {
    let sources = [
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(x) %}{% if x %}{% for i in [1] %}{{ m([x]) ~ 'a' }}{% endfor %}{% endif %}{% endmacro %}{{ m(1) }}",
      "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
      "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
      "{% set ns = namespace() %}{% set ns.x = [{'a': ns}] %}{{ ns }}",
      "{% for i in range(90000) %}{{ 'x' * 10000 }}{% endfor %}",
      "{{ 1" + String(repeating: " + 1", count: 5000) + " }}",
      "{{ x" + String(repeating: "|trim", count: 5000) + " }}",
      "{{ " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000) + " }}",
      "{{ " + String(repeating: "-", count: 5000) + "1 }}",
      "{{ " + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + " }}",
      String(repeating: "{% if 1 %}", count: 5000) + String(repeating: "{% endif %}", count: 5000),
      String(repeating: "{% for i in [1] %}", count: 99) + "{{ 1" + String(repeating: " + 1", count: 200)
        + " }}"
        + String(repeating: "{% endfor %}", count: 99),
      "{% if 0 %}" + String(repeating: "{% elif 0 %}", count: 20000) + "{% endif %}{{ missing.x }}",
    ]
    // A small stack, the default for threads on some systems, must be enough.
    let failures = Mutex<[Int]>([])
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      for (index, source) in sources.enumerated() {
        do {
          _ = try JinjaTemplateTests().render(source)
          failures.withLock { $0.append(index) }
        } catch {}
      }
      done.signal()
    }
    thread.stackSize = 512 * 1024
    thread.start()
    done.wait()
    #expect(failures.withLock { $0 } == [])
  }

  @Test
  func deepestAllowedNestingRenders() throws {
    #expect(try render("{{ 0" + String(repeating: " + 1", count: 200) + " }}") == "200")
    let source =
      String(repeating: "{% if 1 %}", count: 80) + "x" + String(repeating: "{% endif %}", count: 80)
    #expect(try render(source) == "x")
    #expect(try render("{% macro m(x) %}{{ m(x - 1) if x else 'end' }}{% endmacro %}{{ m(40) }}") == "end")
  }
}
