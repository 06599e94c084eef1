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
      (
        "{{ 'ab' * 10 ** 12 }}",
        "chat template, line 1: rendering works on more than 33554432 bytes"
      ),
      (
        "{{ strftime_now('%d %E') }}",
        "chat template, line 1: 'strftime_now' does not know '%E'; use a date without it"
      ),
      (
        "{{ joiner(', ') }}",
        "chat template, line 1: the function 'joiner' is not supported; simplify the template"
      ),
    ]
    for (source, expected) in cases {
      let error = #expect(throws: TemplateError.self) { try render(source) }
      #expect(error?.description == expected)
    }
  }

  @Test("an error is one short line without control characters, whatever the template says")
  func errorsAreShort() {
    for source in [
      "{{ raise_exception('a\\n\\x1b[2Jb' ~ 'c' * 100000) }}", "{{ missing['a\\n' ~ 'c' * 100000] }}",
      "{{ a" + String(repeating: "b", count: 100000) + ".c }}",
      "{{ " + String(repeating: "é ", count: 10) + "}}",
    ] {
      let error = #expect(throws: TemplateError.self) { try render(source) }
      let text = error?.description ?? ""
      #expect(!text.isEmpty && text.utf8.count < 1000)
      #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control })
    }
  }

  @Test("a name has at most 128 bytes; a message has the start of a longer text")
  func longNames() throws {
    let longest = String(repeating: "é", count: 64)
    #expect(try render("{% set \(longest) = 1 %}{{ \(longest) }}") == "1")
    let cases = [
      ("{{ \n\(longest)e }}", "line 2: a name of 129 bytes is too long; use one of at most 128"),
      (
        "{{ missing['b' * 99] }}",
        "line 1: 'missing' is undefined; its item '\(String(repeating: "b", count: 59)) … was requested"
      ),
      (
        "{{ {}['b' * 99].c }}",
        "line 1: the dictionary has no '\(String(repeating: "b", count: 60)) …'; its attribute 'c' was requested"
      ),
      (
        "{{ [1] | map('b' * 999) }}",
        "line 1: the filter '\(String(repeating: "b", count: 60)) …' is not supported"
      ),
      (
        "{{ [1] | select('b' * 999) }}",
        "line 1: the test '\(String(repeating: "b", count: 60)) …' is not supported"
      ),
    ]
    for (source, expected) in cases {
      let error = #expect(throws: TemplateError.self) { try render(source) }
      let text = error?.description ?? ""
      #expect(text.hasPrefix("chat template, " + expected), "\(text)")
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
      "{% macro m(x) %}{{ m([[[[[[x]]]]]]) if x else x }}{% endmacro %}{{ m(1) }}",
      String(repeating: "{% set n = namespace(v=n) %}", count: 20000) + "{{ n }}",
      String(repeating: "{% set x = {'a': x.items} %}", count: 20000) + "{{ x }}",
      "{% for i in range(90000) %}{% for j in [1] %}{{ loop.changed(l) }}{% set l = loop %}{% endfor %}{% endfor %}"
        + "{{ loop.x }}",
      "{% set ns = namespace(m=0) %}{% for i in range(50000) %}{% set last = ns.m %}{% macro m() %}{% endmacro %}"
        + "{% set ns.m = m %}{% endfor %}{{ missing.x }}",
      "{{ [1] | tojson(indent=9223372036854775807) }}",
    ]
    // A small stack, the default for threads on some systems, must be enough; without optimisation, frames are large.
    #if DEBUG
      let stackSize = 4 << 20
    #else
      let stackSize = 512 << 10
    #endif
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
    thread.stackSize = stackSize
    thread.start()
    done.wait()
    #expect(failures.withLock { $0 } == [])
  }

  @Test("functions of a loop do not count its elements again in each pass")
  func longLoop() throws {
    let source =
      "{% for i in range(30000) %}{{ loop.cycle('a', 'b') if loop.changed(i) else 'c' }}{% endfor %}"
    #expect(try render(source) == String(repeating: "ab", count: 15000))
  }

  /// Each would take hours, or more memory than there is.
  @Test(
    "the work of a template is limited",
    arguments: [
      // Loops in loops, macros that call themselves twice, and ranges of ranges.
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
      "{% for a in range(99999) %}{% set x = range(99999) %}{% endfor %}",
      "{{ range(99999) | map('string') | map('list') | map('join') | select('in', range(99999)) | list }}",
      "{% for a in range(99999) if range(99999) | list | count %}{% endfor %}",
      // Texts and lists that double.
      doubling("'ab'", "ns.x ~ ns.x", "{{ ns.x | length }}"), doubling("'ab'", "ns.x + ns.x"),
      doubling("'ab'", "ns.x * 2"), doubling("[1]", "ns.x + ns.x"), doubling("[1]", "2 * ns.x"),
      doubling("(1, 2)", "ns.x * 2"), doubling("'ab'", "ns.x | replace('a', 'aa')"),
      doubling("'ab'", "ns.x.replace('', 'aa')"), doubling("'ab'", "ns.x.join([ns.x, ns.x])"),
      doubling("['ab', 'cd']", "[ns.x | join('--')] * 2"), doubling("'ab'", "[ns.x, ns.x] | join"),
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}"
        + "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
      "{{ 'a' * 60000000 }}{{ 'a' * 60000000 }}", "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
      "{{ ['a'] * 9223372036854775807 }}",
      "{{ [] * 9223372036854775807 }}{{ '' * 9223372036854775807 }}{{ x.y }}",
      // Values that are small but spell exponentially long texts.
      doubling("1", "[ns.x, ns.x]", "{{ ns.x }}"), doubling("1", "[ns.x, ns.x]", "{{ ns.x | tojson }}"),
      doubling("1", "{'a': ns.x, 'b': ns.x}", "{{ ns.x | string | length }}"),
      doubling("1", "(ns.x, ns.x)", "{{ ns.x == ns.x }}"), doubling("1", "(ns.x, ns.x)", "{{ {ns.x: 1} }}"),
      doubling("1", "dict(a=ns.x, b=ns.x)", "{{ ns.x ~ '' }}"),
      // Long values that are read again and again.
      long("{{ x[i] }}"), long("{{ x | length }}"), long("{{ x is upper }}"), long("{{ 'b' in x }}"),
      long("{{ x == y }}"), long("{{ x < y }}"), long("{{ x.split('b') }}"), long("{{ x[-9:] }}"),
      long("{{ {x: 1} }}"), long("{{ x.title() | length }}"), long("{% set z = x | upper %}"),
      long("{{ x | trim }}"), long("{% if (x ~ x) is defined %}{% endif %}"),
      long("{% for c in x %}{% break %}{% endfor %}"),
      "{% set x = range(99999) | list %}{% for i in x %}{{ i in x }}{% endfor %}",
      "{% set x = range(99999) | list %}{% for i in x %}{{ x.index(i) }}{{ x.count(i) }}{% endfor %}",
      "{% set x = range(99999) | list %}{% for i in x %}{{ x[:-1] | length }}{% endfor %}",
      // Long texts that short values use once for every element: separators, paths, prefixes and names.
      "{{ ([{'a': 1}] * 100000) | tojson(separators=[',', 'x' * 10000000]) }}",
      "{{ ([['a', 1]] * 100000) | tojson(separators=['x' * 10000000, ':']) }}",
      attributes("map(attribute='x' * 10000000) | list"), attributes("map(attribute='x' * 100000) | list"),
      attributes("join(attribute='x' * 100000)"), attributes("unique(attribute='x' * 100000) | list"),
      attributes("sort(attribute='x' * 100000)"), attributes("selectattr('x' * 100000) | list"),
      attributes("rejectattr('x' * 100000, 'defined') | list"),
      "{{ (['a'] * 400000) | map(attribute='0.' * 400000 ~ '0') }}",
      "{% set a = 'a' * 1000000 %}{{ (a ~ 'b').startswith((a ~ 'c',) * 500000) }}",
      "{% set a = 'a' * 1000000 %}{{ ('b' ~ a).endswith(('c' ~ a,) * 500000) }}",
      long("{{ ''[x] is defined }}"), long("{{ [][x] is defined }}"), long("{{ 1[x] is defined }}"),
      long("{{ namespace()[x] is defined }}"), long("{{ loop[x] is defined }}"),
      keyed("dict(d, a=1, b=2, c=3)"), keyed("namespace(d)"),
      // Many names that a short statement, call or filter looks at.
      "{% macro m(\(names())) %}{% endmacro %}{% for i in range(99999) %}{{ m() }}{% endfor %}",
      "{% macro m(\(names())) %}{% endmacro %}{% for i in range(99999) %}{{ m(\(names("=1"))) }}{% endfor %}",
      "{% set t = range(30000) %}{% for i in range(99999) %}{% for \(names()) in [t] %}{% endfor %}{% endfor %}",
      "{% set t = range(30000) %}{% for i in range(99999) %}{% set \(names()) = t %}{% endfor %}",
      attributes("map('default', '', \(names("=1"))) | list"),
      attributes("map('int', \(names("=1"))) | list"),
    ])
  func work(source: String) throws {
    let error = #expect(throws: TemplateError.self) { try render(source) }
    let reason = error?.description ?? ""
    #expect(
      reason.contains("rendering takes more than 5") || reason.contains("rendering works on more than 3")
        || reason.contains("is nested more than") || reason.contains("'x' is undefined"), "\(reason)")
  }

  /// A template that replaces a value 99 times by one that holds it twice.
  private static func doubling(_ first: String, _ next: String, _ end: String = "") -> String {
    "{% set ns = namespace(x=\(first)) %}{% for i in range(99) %}{% set ns.x = \(next) %}{% endfor %}\(end)"
  }

  /// A template that uses two texts of a million letters 99 999 times.
  private static func long(_ body: String) -> String {
    "{% set x = 'a' * 1000000 %}{% set y = 'a' * 1000000 %}{% for i in range(99999) %}\(body){% endfor %}"
  }

  /// A template that applies a filter to 400 thousand empty texts.
  private static func attributes(_ filter: String) -> String { "{{ ([''] * 400000) | \(filter) }}" }

  /// A template that uses a dictionary with a key of ten million letters 99 999 times.
  private static func keyed(_ use: String) -> String {
    "{% set d = {'a' * 10000000: 1, 'b': 2, 'c': 3} %}{% for i in range(99999) %}{% set e = \(use) %}{% endfor %}"
  }

  /// Thirty thousand different names.
  private static func names(_ suffix: String = "") -> String {
    (0..<30000).map { "a\($0)\(suffix)" }.joined(separator: ",")
  }

  @Test("a long conversation is within the limits, which grow with it")
  func longConversation() throws {
    let template = """
      {% for m in messages %}{% if m['content'] is string and m.content.startswith('a') %}
      {{ '<|im_start|>' + m.role + '\n' + (m.content | trim).split('</x>')[-1].replace('b', 'c') + '<|im_end|>\n' }}
      {% endif %}{% endfor %}
      """
    func conversation(_ count: Int, _ size: Int) -> JSONValue {
      .array(
        (0..<count).map { _ in
          .object([
            .init(key: "role", value: .string("user")),
            .init(key: "content", value: .string(String(repeating: "ab", count: size / 2))),
          ])
        })
    }
    for (count, size) in [(20000, 20), (2, 4_000_000)] {
      let text = try render(template, ["messages": conversation(count, size)])
      #expect(text.utf8.count > count * size)
    }
  }

  /// Each takes time in proportion to its length; in proportion to its square, it would take minutes.
  @Test("long templates are read in linear time")
  func longSources() throws {
    let size = 1_000_000
    func fill(_ piece: String) -> String { String(repeating: piece, count: size / piece.utf8.count) }
    #expect(try render(fill("{{- 1 -}} ")).utf8.count == size / 10)
    #expect(try render(fill("{#- x -#} ")).isEmpty)
    #expect(try render(fill("{%- if 1 -%} {%- endif -%} ")).isEmpty)
    #expect(try render("{% raw %}" + fill("{% if ") + "{% endraw %}").utf8.count == size / 6 * 6)
    #expect(try render("{% raw %}" + fill("{% endraw ") + "{% endraw %}").utf8.count == size / 10 * 10)
    let entries = (0..<50000).map { "'k\($0)': \($0)" }.joined(separator: ", ")
    #expect(
      try render("{% set d = {\(entries)} %}{{ d | length }}{{ d['k77'] }}{{ 'k49999' in d }}")
        == "5000077True")
    #expect(try render("{{ [1, \(String(repeating: "1, ", count: 99999))] | unique | list }}") == "[1]")
    #expect(try render("{{ range(90000) | unique | list | length }}") == "90000")
    #expect(try render("{{ ('a' * 200000).find('a' * 100000 ~ 'b') }}") == "-1")
    #expect(try render("{{ ('a' * 200000).replace('a' * 100000 ~ 'b', '') | length }}") == "200000")
    #expect(try render("{{ (['a'] * 200000) | join(\(Self.names("=1"))) | length }}") == "200000")
    // Swift would order the marks of one character to compare it.
    #expect(try render("{{ ''['a' ~ '\\u0327\\u0301' * 1000000] is defined }}") == "False")
    #expect(throws: TemplateError.self) { try render(fill("{% if x %}")) }
    #expect(throws: TemplateError.self) { try render(fill("{{ ")) }
    #expect(throws: TemplateError.self) { try render("{% raw %}" + fill("{%")) }
    let error = #expect(throws: TemplateError.self) { try render(fill("{{ 1 }}") + fill("{{ 1 }}")) }
    #expect(error?.description.contains("bytes is too long; use one of at most 1048576") == true)
  }

  @Test("dictionaries compare keys as Python does")
  func keys() throws {
    #expect(
      try render("{{ {1: 'a', 1.0: 'b', true: 'c', 'x': 1, 'x': 2, (1, 2): 3} }}")
        == "{1: 'c', 'x': 2, (1, 2): 3}")
    // The same character in two spellings is two keys.
    #expect(try render("{{ {'e\\u0301': 1, '\\u00e9': 2} | length }}") == "2")
    #expect(try render("{{ namespace(b=1, a='\\n') }}") == "<Namespace {'b': 1, 'a': '\\n'}>")
    let error = #expect(throws: TemplateError.self) { try render("{{ {[1]: 2} }}") }
    #expect(error?.description.contains("a list cannot be a key") == true)
  }

  /// The expected values are those of Python's `datetime(2024, 7, 26).strftime`.
  @Test("the date of strftime_now is fixed")
  func date() throws {
    #expect(try render("{{ strftime_now('%d %b %Y') }}") == "26 Jul 2024")
    #expect(
      try render("{{ strftime_now('%A, %-d %B %y; %H:%M:%S %j %e %p %U %W %V %%') }}")
        == "Friday, 26 July 24; 00:00:00 208 26 AM 29 30 30 %")
    // Templates that test for the clock use a date of their own.
    #expect(try render("{{ 'clock' if strftime_now is defined else 'fixed' }}") == "fixed")
    for format in ["%E", "%", "%-", "%Q", "é%é"] {
      let error = #expect(throws: TemplateError.self) { try render("{{ strftime_now('\(format)') }}") }
      #expect(error?.description.contains("'strftime_now' does not know '%") == true)
    }
    #expect(throws: TemplateError.self) { try render("{{ strftime_now() }}") }
  }

  /// Rendering must not keep anything: macros and their scopes hold each other.
  @Test("a macro sees the names at its definition, also after a rendering before")
  func macros() throws {
    let template = try JinjaTemplate(
      source: "{% set a = 1 %}{% macro m(x) %}{{ x }}{{ a }}{% endmacro %}{{ m(2) }}")
    for _ in 0..<3 { #expect(try template.render([:]) == "21") }
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
