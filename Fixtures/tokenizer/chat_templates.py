"""Chat templates in the styles of known models, small snippets of Jinja, and what jinja2 makes of both.

The environment is set up as Transformers does it for `apply_chat_template`.
"""

import json

import jinja2
import jinja2.ext
import jinja2.sandbox


class GenerationTag(jinja2.ext.Extension):
    """`{% generation %}`, which marks the assistant's text and writes its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def environment():
    result = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    result.filters["tojson"] = tojson
    result.globals["raise_exception"] = raise_exception
    return result


CHATML = """{% for message in messages %}
{{ '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant' }}
{% endif %}
"""

LLAMA3 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "01 Jan 2025" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if not inline_tools is defined %}
    {%- set inline_tools = true %}
{%- endif %}

{#- The system message comes first, if there is one. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_text = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_text = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: tools\\n" }}
{%- endif %}
{{- "Knowledge until: December 2023\\n" }}
{{- "Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not inline_tools %}
    {{- "Answer with JSON to call one of these functions.\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_text }}
{{- "<|eot_id|>" }}

{%- if inline_tools and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_text = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Tools need a first user message.") }}
    {%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_text + "<|eot_id|>" }}
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("One tool call at a time.") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" %}
        {{- "<|start_header_id|>tool<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

QWEN2 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\nFunctions within <tools></tools>:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

STRICT = """{%- set ns = namespace(turn=0, system='', last=-1) -%}
{%- for m in messages -%}
  {%- if m['role'] == 'system' -%}{%- set ns.system = m['content'] -%}{%- endif -%}
  {%- if m['role'] == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- macro turn(role, text, end='</s>') -%}
[{{ role | upper }}] {{ text.strip() }}{{ end }}
{% endmacro -%}
{{ bos_token }}
{% for m in messages if m.role != 'system' %}
  {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}
    {{ raise_exception('Roles must alternate user/assistant, not ' ~ m.role ~ ' at ' ~ loop.index) }}
  {%- endif -%}
  {%- if m.content is string -%}
    {%- set text = m.content -%}
  {%- else -%}
    {%- set text = m.content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join(' ') -%}
  {%- endif -%}
  {%- if loop.first and ns.system -%}
    {{ turn(m.role, '<<' ~ ns.system ~ '>> ' ~ text) }}
  {%- elif '</think>' in text -%}
    {{ turn(m.role, text.split('</think>')[-1].lstrip('\\n'), end=eos_token) }}
  {%- else -%}
    {{ turn(role=m.role, text=text) }}
  {%- endif -%}
  {%- set ns.turn = ns.turn + 1 -%}
{% else %}
nothing was said
{% endfor %}
turns: {{ ns.turn }}{% if ns.last >= 0 %} last user: {{ ns.last }}{% endif %}
{% if add_generation_prompt %}
{% generation %}[ASSISTANT]{% endgeneration %}
{% endif %}
"""

CALL = {"type": "function", "function": {"name": "look", "arguments": {"where": "left 'side'", "metres": 12.5, "deep": {"a": [1, None, True]}}}}
TOOLS = [
    {"type": "function", "function": {"name": "look", "description": "Looks \"there\" — überall", "parameters": {"type": "object", "properties": {"where": {"type": "string"}}, "required": []}}},
    {"name": "stop"},
]
CONVERSATIONS = {
    "one": [{"role": "user", "content": "Hello"}],
    "system": [
        {"role": "system", "content": "  Be brief. "},
        {"role": "user", "content": "What's 2+2?\n"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\n4"},
        {"role": "user", "content": "日本語 'quoted' <b>&</b> \r\n 😀"},
    ],
    "tools": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "clear"},
        {"role": "assistant", "content": "It is clear."},
    ],
    "several tools": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "Looking", "tool_calls": [CALL, {"name": "stop", "arguments": {}}]},
        {"role": "tool", "content": "clear"},
        {"role": "tool", "content": "stopped"},
        {"role": "system", "content": "later"},
    ],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]}],
    "wrong order": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "empty": [],
}


def render(source, variables):
    """The text, or the kind of error that stands in its place."""
    try:
        return {"expected": environment().from_string(source).render(**variables)}
    except jinja2.exceptions.TemplateSyntaxError:
        return {"error": "syntax"}
    except jinja2.exceptions.UndefinedError:
        return {"error": "evaluation"}
    except jinja2.exceptions.TemplateRuntimeError:
        return {"error": "evaluation"}
    except jinja2.exceptions.TemplateError as error:
        return {"error": "raised", "message": str(error)}
    except (TypeError, ZeroDivisionError, ValueError):
        return {"error": "evaluation"}


def rendered_templates(smollm2):
    """Every template on every conversation, with and without generation prompt and tools."""
    result = []
    sources = {"SmolLM2": smollm2, "ChatML": CHATML, "Llama 3": LLAMA3, "Qwen2.5": QWEN2, "strict": STRICT}
    for name, source in sources.items():
        cases = []
        for conversation, messages in CONVERSATIONS.items():
            for generation in (False, True):
                for extra in ({}, {"tools": TOOLS}, {"tools": TOOLS, "inline_tools": False, "date_string": "24 Dec"}):
                    if extra and name not in ("Llama 3", "Qwen2.5"):
                        continue
                    variables = {
                        "messages": messages,
                        "add_generation_prompt": generation,
                        "bos_token": "<s>",
                        "eos_token": "<|end|>",
                        **extra,
                    }
                    case = {"conversation": conversation, "messages": messages, "generation": generation, "variables": extra}
                    case.update(render(source, variables))
                    cases.append(case)
        result.append({"name": name, "source": source, "cases": cases})
    return result


VARIABLES = {
    "n": 7,
    "x": 2.5,
    "s": "Hello, World",
    "u": "żółć 日本 e\u0301 😀",
    "t": True,
    "f": False,
    "none_value": None,
    "xs": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "d": {"b": 1, "a": 2, "c": {"k": [1, "two", None]}},
    "people": [
        {"name": "Ann", "age": 30, "tags": ["x"]},
        {"name": "bob", "age": 25},
        {"name": "Cyd", "age": 30, "boss": {"name": "Ann"}},
    ],
    "text": "line one\n  line two\n\nline four\n",
    "empty": "",
    "crlf": "a\r\nb\rc",
}

SNIPPETS = [
    # White space.
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "a\n  {% if t %}  \n b\n  {% endif %}\nc", "a {%- if t %} b {% endif -%} c",
    "  {{ n }}  \n  {{- n }}\n\n{{ n -}}\n\n x", "{# note #}\nx", "  {# note #}\nx\n  {#- note -#}\n y", "a\n\n",
    "a\n", "\n{% set y = 1 %}\n\n{{ y }}", "x {% set y = 1 %}\ny", "\t{% if t %}\n\tz{% endif %}", "a\r\nb\r{{ n }}\r\n",
    "{% if t +%}\nx{% endif %}", "   {%+ if t %}x{% endif %}", "{%- for i in xs -%}\n {{ i }} \n{%- endfor -%}\n",
    "{% for i in xs %}\n  {{ i }}\n{% endfor %}\nend", "{{ '  a' }}\n  {% if f %}{% else %}b{% endif %}\n",
    "{% raw %}{{ n }} {% if %}{% endraw %}|", "a\n{% raw %}\n{{ x }}\n{% endraw %}\nb", "a {%- raw -%}\n {{ b }} \n{%- endraw -%} c",
    "{{ n }}\n{{ n }}\n\n\n", "\u00a0{%- if t %}x{% endif %}", "x{# a #}{# b\n #}\ny", "a{{ '}}' }}b{{ '%}' }}",
    "{%if t%}x{%endif%}", "{{n}}{{-n}}{{+n}}", "{% if t -%}\n\n  x\n{%- endif %}\n.",
    # Values as text.
    "{{ t }} {{ f }} {{ none }} {{ None }} {{ True }}", "{{ xs }} {{ d }} {{ words }}", "{{ x }} {{ 1.0 }} {{ 1e3 }} {{ 1_000 }}",
    "{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 123456789.123 }} {{ 1e-7 * 3 }} {{ 1e22 }} {{ 2.0 ** 0.5 }}",
    "{{ (1, 'a') }} {{ (1,) }} {{ () }} {{ [] }} {{ {} }}", "{{ [\"it's\", 'say \"x\"', 'both \\' \"', 'a\\nb\\t\\\\'] }}",
    "{{ ['\\x01\\x7f', 'é', '\\u200b', '日'] }}", "{{ 'a' 'b' \"c\" }}", "{{ '\\x41\\u00e9\\U0001F600\\101\\q' }}", "{{ {'a': none, 1: true, 'n': {'x': 1.5}} }}",
    "{{ missing }}|{{ d.missing }}|{{ xs[9] }}|{{ s.missing }}", "{{ d['b'] }} {{ d.c.k[1] }} {{ d.c['k'][-1] }} {{ xs.0 }}",
    # Operators.
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }}",
    "{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 / 4 }} {{ 3 * 1.5 }} {{ t + 1 }} {{ -n }} {{ +n }} {{ -x }}", "{{ 0 ** 0 }} {{ (-1) ** 3 }} {{ 3 ** 20 }} {{ 1 ** 100 }} {{ 2 ** 3 ** 2 }}",
    "{{ s ~ n ~ none ~ t ~ missing }}", "{{ 'a' + 'b' * 3 }} {{ [1] + [2] }} {{ 2 * [0] }} {{ 'x' * -1 }}|", "{{ 1 ~ 2 + 3 }}", "{{ 'a' ~ 1 + 1 ~ 'b' }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ t == 1 }} {{ 'a' != 'b' }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}", "{{ 2 >= 2 }} {{ 2 <= 1 }} {{ 'Z' > 'a' }} {{ 1 != 1 == false }}",
    "{{ 'a' in 'cat' }} {{ 'b' not in 'cat' }} {{ 2 in xs }} {{ 'a' in d }} {{ 'z' in d }} {{ '' in 'x' }} {{ not 1 in xs }}",
    "{{ 1 and 2 }} {{ 0 and 2 }} {{ 0 or 'x' }} {{ '' or none or [] }} {{ not t }} {{ not not n }} {{ t and not f or f }}", "{{ not not not f }}",
    "{{ 'y' if t else 'n' }} {{ 'y' if f else 'n' }} {{ 'y' if f }}|{{ 1 if f else 2 if f else 3 }}", "{{ (1 if t else 2) + 3 }}",
    "{{ d == {'a': 2, 'b': 1, 'c': {'k': [1, 'two', none]}} }} {{ xs == [3, 1, 2] }} {{ (1, 2) == [1, 2] }} {{ missing == missing2 }} {{ none == missing }}",
    "{{ 'e\\u0301' == 'é' }} {{ 'e\\u0301' in u }} {{ {'é': 1}['e\\u0301'] }}|", "{{ -2 ** 2 }} {{ 2 - -2 }} {{ - 3 | abs }} {{ -3|abs }}", "{{ 10 - 2 - 3 }} {{ 2 * 3 % 4 }} {{ 100 // 7 // 2 }}",
    "{{ 1 + missing }}", "{{ missing.x }}", "{{ missing['x'] }}", "{{ missing() }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}", "{{ 1 in 'a' }}", "{{ none.x }}|", "{{ none + 1 }}", "{{ xs.append(1) }}", "{{ d.update({}) }}", "{{ n() }}", "{{ none[0] }}|",
    # Slices.
    "{{ xs[1:] }} {{ xs[:1] }} {{ xs[::-1] }} {{ xs[-2:] }} {{ xs[:-1] }} {{ xs[5:] }} {{ xs[::2] }} {{ xs[-9:9] }} {{ xs[2:0:-1] }} {{ xs[:] }}", "{{ s[1:4] }} {{ u[2:] }} {{ u[::-1] }} {{ s[-5:] }} {{ u[0] }} {{ s[-1] }} {{ s[99] }}|", "{{ xs[n-6:] }} {{ xs[none:2] }} {{ (1,2,3)[1:] }} {{ xs[10:0:-3] }} {{ xs[::-2] }}", "{{ xs[::0] }}", "{{ d[1:] }}",
    # Filters.
    "{{ '  a b ' | trim }}| {{ 'xxaxx' | trim('x') }} {{ '\\u3000a\\x1c' | trim }}|", "{{ s | upper }} {{ s | lower }} {{ 'hELLO wORLD' | capitalize }} {{ 'hello wORLD-foo (bar' | title }}", "{{ 'straße' | upper }} {{ 'ÀÉ' | lower }} {{ 'ǆ x' | capitalize }} {{ '' | capitalize }}|",
    "{{ xs | length }} {{ u | length }} {{ d | count }} {{ missing | length }} {{ people | length }}", "{{ xs | join(', ') }} {{ words | join }} {{ people | join('-', attribute='name') }} {{ 'abc' | join('.') }}",
    "{{ missing | default('x') }} {{ empty | default('x') }}| {{ empty | default('x', true) }} {{ none_value | default('y', boolean=true) }} {{ none_value | d('z') }} {{ missing | default }}|", "{{ d.q.r | default('x') }}",
    "{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 2) }} {{ 'aaa' | replace('aa', 'b') }} {{ 'ab' | replace('', '-') }} {{ 123 | replace('2', 'x') }}",
    "{{ xs | first }} {{ xs | last }} {{ [] | first }}| {{ 'abc' | first }} {{ 'abc' | last }} {{ d | first }}", "{{ xs | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ xs | sort(reverse=true) }} {{ people | sort(attribute='age') | map(attribute='name') | join(',') }}",
    "{{ xs | reverse | list }} {{ 'abc' | reverse }} {{ u | reverse }}", "{{ xs | sum }} {{ people | sum(attribute='age') }} {{ [] | sum }} {{ [1.5, 2] | sum(start=1) }} {{ xs | min }} {{ xs | max }} {{ words | min }} {{ words | max(case_sensitive=true) }}|", "{{ words | unique | list }} {{ [1, 1.0, 2, 1] | unique | list }}",
    "{{ words | map('upper') | list }} {{ people | map(attribute='boss.name') | list }} {{ people | map(attribute='boss', default='-') | map('string') | list }} {{ words | map('replace', 'p', 'P') | join }}",
    "{{ xs | select('odd') | list }} {{ xs | reject('odd') | list }} {{ [0, 1, '', 'a'] | select | list }} {{ xs | select('gt', 1) | list }} {{ words | reject('in', ['fig']) | list }}",
    "{{ people | selectattr('age', 'equalto', 30) | map(attribute='name') | list }} {{ people | rejectattr('tags', 'defined') | list | length }} {{ people | selectattr('boss') | list | length }} {{ people | selectattr('age', '>', 26) | list | count }} {{ people | selectattr('name', 'in', ['bob']) | first | attr_free }}",
    "{{ people | selectattr('age', 'ge', 30) | map(attribute='name') | list }} {{ people | rejectattr('age', 'eq', 30) | map(attribute='name') | first }}",
    "{{ d | tojson }} {{ people | tojson }} {{ u | tojson }} {{ none | tojson }} {{ x | tojson }} {{ t | tojson }}", "{{ d | tojson(indent=2) }}\n{{ [] | tojson(indent=2) }} {{ {} | tojson(indent=4) }} {{ [[], {}, [1]] | tojson(indent=1) }}", "{{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }}", "{{ '\"\\\\/\\b\\f\\n\\r\\t\\x01\\x7f<>&\\u2028' | tojson }}", "{{ {1: 2, 'a': (1, 2)} | tojson }} {{ 1e20 | tojson }} {{ 1.0 | tojson }}", "{{ missing | tojson }}",
    "{{ d | items | list }} {{ d | dictsort }} {{ d.items() | list }} {{ d.keys() | list }} {{ d.values() | list }} {{ {'b': 1, 'A': 0} | dictsort(true) }} {{ {'b': 1, 'a': 3} | dictsort(by='value', reverse=true) }}", "{{ missing | items | list }}",
    "{{ text | indent }}|", "{{ text | indent(2, true) }}|", "{{ text | indent(width=2, blank=true) }}|", "{{ 'a\\nb' | indent('> ') }}|{{ '' | indent }}|", "{{ '3' | int }} {{ '3.9' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ t | int }} {{ ' 4 ' | int }} {{ '2.5' | float }} {{ 'q' | float }} {{ 3 | float }}",
    "{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.567 | round(2) }} {{ 2.1 | round(method='ceil') }} {{ 2.9 | round(0, 'floor') }} {{ 7 | round }} {{ -5 | abs }} {{ -2.5 | abs }} {{ 1.005 | round(2) }} {{ 2.675 | round(2) }}", "{{ 5 | string ~ 'x' }} {{ xs | string }} {{ 'ab' | list }} {{ d | list }}", "{{ '<a href=\"x\">&\\'' | e }} {{ 'x' | safe }}", "{{ s | nothing }}",
    "{{ words | map('length') | sum }} {{ (words | first)[0] }} {{ words | first | upper | lower }}", "{{ 'a,b' .split(',') | last }}", "{% filter upper %}abc {{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}banana{% endfilter %}",
    # Tests.
    "{{ n is defined }} {{ q is defined }} {{ q is undefined }} {{ q is not defined }} {{ none_value is none }} {{ n is not none }} {{ d.q is defined }}", "{{ s is string }} {{ n is string }} {{ n is number }} {{ t is number }} {{ n is integer }} {{ t is integer }} {{ x is float }} {{ t is boolean }} {{ t is true }} {{ 1 is true }} {{ f is false }}",
    "{{ d is mapping }} {{ xs is mapping }} {{ xs is iterable }} {{ n is iterable }} {{ s is iterable }} {{ xs is sequence }} {{ d is sequence }} {{ n is sequence }} {{ range is callable }} {{ s.upper is callable }} {{ n is callable }}", "{{ 3 is odd }} {{ 3 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aB' is lower }} {{ n is eq 7 }} {{ n is ne(7) }} {{ n is gt 3 }} {{ n is lt 3 }} {{ n is ge 7 }} {{ n is le 6 }}", "{{ 2 is in xs }} {{ 2 is not in xs }} {{ n is equalto 7 }} {{ none is sameas none }} {{ t is sameas true }} {{ 1 is sameas true }}",
    "{{ 'yes' if q is defined and q else 'no' }} {{ 'yes' if s is string and n is number else 'no' }} {{ not q is defined }} {{ not n is defined }}", "{{ q is string }} {{ q is none }} {{ q is iterable }} {{ q is mapping }}", "{{ n is strange }}", "{{ 'a' is in 'abc' and true }}",
    # String methods.
    "{{ '  a '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'abcba'.lstrip('ab') }}", "{{ 'a b  c'.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b c '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a b c'.rsplit(none, 1) }} {{ 'aXXXb'.split('XX') }} {{ 'aXXXb'.rsplit('XX') }}",
    "{{ s.startswith('He') }} {{ s.endswith('ld') }} {{ s.startswith(('x', 'H')) }} {{ s.endswith('x') }} {{ s.startswith('') }} {{ 'é'.startswith('e') }} {{ 'e\\u0301'.startswith('e') }}", "{{ s.upper() }} {{ s.lower() }} {{ 'a b'.title() }} {{ \"it's a1b\".title() }} {{ 'aBC'.capitalize() }} {{ s.replace('l', '') }} {{ s.replace('l', 'L', 1) }} {{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('z') }} {{ s.count('l') }} {{ u.find('日') }} {{ 'aaa'.count('aa') }} {{ 'ab'.count('') }}",
    "{{ ','.join(['a', 'b']) }} {{ text.splitlines() }} {{ crlf.splitlines() }} {{ crlf.split('\\n') }} {{ 'a'.partition('b') }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'a'.rpartition('b') }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x'.removesuffix('') }}", "{{ '12'.isdigit() }} {{ 'a1'.isdigit() }} {{ ''.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' \\n'.isspace() }} {{ 'AB1'.isupper() }} {{ 'ab'.islower() }} {{ '1'.islower() }}", "{{ s.index('W') }} {{ xs.index(2) }} {{ xs.count(1) }} {{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 0) }} {{ d.get('c').k | length }}", "{{ s['upper']() }} {{ d['items'] is callable }} {{ d.items is callable }}", "{{ s.split('o')[0].strip().upper()[1:] }}", "{{ s.index('zz') }}",
    # Loops.
    "{% for i in xs %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.length }}{{ ' first' if loop.first }}{{ ' last' if loop.last }};{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}", "{% for p in people if p.age == 30 %}{{ loop.index }}{{ p.name }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for c in 'abc' %}{{ c }}.{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}{% for (a, b) in [[1, 2]] %}{{ a }}{{ b }}{% endfor %}",
    "{% for i in range(5) %}{{ i }}{% endfor %} {% for i in range(5, 0, -2) %}{{ i }}{% endfor %} {{ range(2, 4) | list }} {{ range(0) | list }}", "{% for i in xs %}{% for j in xs %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }}{{ loop.depth }};{% endfor %}", "{% for i in xs %}{{ loop.previtem }}<{{ i }}<{{ loop.nextitem }};{% endfor %}", "{% for i in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in xs %}{% set y = i %}{% endfor %}{{ y }}|", "{% set y = 0 %}{% for i in xs %}{% set y = y + i %}{{ y }}{% endfor %}{{ y }}", "{% set ns = namespace(total=0) %}{% for i in xs %}{% set ns.total = ns.total + i %}{% endfor %}{{ ns.total }} {{ ns.missing }}|", "{% for i in n %}{% endfor %}", "{% for a, b in xs %}{% endfor %}", "{% for x in xs if x > 1 %}{{ x }}{% else %}e{% endfor %}", "{% for i in xs[1:] %}{{ i }}{% endfor %} {% for i in xs | sort %}{{ i }}{% endfor %} {% for i in 1, 2 %}{{ i }}{% endfor %}", "{% for i in range(1, 3) %}{{ loop.index0 is even }}{% endfor %}{{ loop is defined }}",
    # Conditions, assignments, scopes.
    "{% if f %}a{% elif n == 7 %}b{% else %}c{% endif %}{% if f %}a{% elif f %}b{% else %}c{% endif %}{% if missing %}a{% endif %}", "{% if t %}{% set y = 5 %}{% endif %}{{ y }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set c = 1, 2 %}{{ c }}" , "{% set y %}\nblock {{ n }}\n{% endset %}[{{ y }}]", "{% set y | upper | trim %} abc {% endset %}[{{ y }}]", "{% set d.x = 1 %}", "{% with a = 1, b = n %}{{ a + b }}{% endwith %}{{ a }}|", "{% with %}{% set z = 3 %}{{ z }}{% endwith %}{{ z }}|", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }} {{ dict(a=1, b='x') }} {{ dict({'z': 0}, y=1) }}", "{% set a, b = [1] %}",
    # Macros.
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }} {{ m() }}", "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(4) }}", "{% macro m() %}{{ n }}{{ y }}{% endmacro %}{% set y = 3 %}{{ m() }}", "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in {{ n }}{% endcall %}", "{% macro m(xs) %}{% for x in xs %}{{ caller(x) }};{% endfor %}{% endmacro %}{% call(v) m(xs) %}<{{ v }}>{% endcall %}", "{% macro m(a) %}  {{ a }}  {% endmacro %}[{{ m('x') | trim }}] {{ m('y') | length }} {{ m is callable }}", "{% macro a() %}A{% endmacro %}{% macro b() %}{{ a() }}B{% endmacro %}{{ b() ~ 'c' }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "{% macro m(a) %}{% set a = a + 1 %}{{ a }}{% endmacro %}{{ m(1) }}{{ a }}|", "{% macro m() %}x{% endmacro %}{{ m(1) }}", "{% macro m() %}x{% endmacro %}{{ m(q=1) }}", "{% for i in xs %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    # Errors.
    "{{ raise_exception('no: ' ~ n) }}", "{% if f %}{{ raise_exception('x') }}{% endif %}ok", "{{ strftime_now is defined }}", "{% if %}{% endif %}", "{% if t %}", "{{ n", "{{ n }", "{% endif %}", "{% for i xs %}{% endfor %}", "{{ 'abc }}", "{{ (1 }}", "{{ 1 + }}", "{{ a b }}", "{% unknown %}", "{# open", "{{ n ? 1 : 2 }}", "{{ xs[ }}", "{% set %}", "{% set 1 = 2 %}", "{{ f(a=1, 2) }}", "{{ {1 2} }}", "{{ }}", "{% %}", "{% else %}", "{% if t %}{% endfor %}", "{% raw %}x", "{{ n.}}", "{{ 1 if }}", "{% macro %}{% endmacro %}", "{{ [1 2] }}", "{{ n | }}", "{{ n is }}", "{% for i in %}{% endfor %}",
]


def rendered_snippets():
    cases = []
    for source in SNIPPETS:
        case = {"source": source}
        case.update(render(source, VARIABLES))
        cases.append(case)
    return {"variables": VARIABLES, "cases": cases}


# Templates in the ways in which known models write a turn: with spaces around the answer, thoughts in the generation prompt
# or before the answer, the system prompt in the user's turn, lists of parts, trimmed texts.
TURN = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
OPEN = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
PARTS = "{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}"
LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""
MISTRAL3 = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- endif %}
{%- endfor %}
"""
QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first_user_prefix = messages[0]['content'] + '\\n\\n' %}{% set loop_messages = messages[1:] %}{% else %}{% set first_user_prefix = '' %}{% set loop_messages = messages %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else '') }}{% if message['content'] is string %}{{ message['content'] | trim }}{% elif message['content'] is iterable %}{% for item in message['content'] %}{% if item['type'] == 'image' %}{{ '<start_of_image>' }}{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}{% endif %}{{ '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""
R1 = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}{%- for message in messages %}{%- if message['role'] == 'user' %}{{ '<\uff5cUser\uff5c>' + message['content'] }}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ '<\uff5cAssistant\uff5c>' + content + '<|im_end|>' }}{%- endif %}{%- endfor %}{% if add_generation_prompt %}{{ '<\uff5cAssistant\uff5c><think>\\n' }}{% endif %}"""
DEEPSEEK = """{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n\\n' }}{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}{% elif message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""
VICUNA = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{{ messages[0]['content'] }}{% else %}{% set loop_messages = messages %}{{ 'A chat between a curious user and an assistant.' }}{% endif %}{% for message in loop_messages %}{% if message['role'] == 'user' %}{{ ' USER: ' + message['content'].strip() }}{% elif message['role'] == 'assistant' %}{{ ' ASSISTANT: ' + message['content'].strip() + eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"""
OPENCHAT = """{{ bos_token }}{% for message in messages %}{{ 'GPT4 Correct ' + message['role'].title() + ': ' + message['content'] + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ 'GPT4 Correct Assistant:' }}{% endif %}"""
SMOLLM3 = """{% set today = strftime_now('%d %B %Y') if clock is defined else '26 July 2024' %}<|im_start|>system
Today Date: {{ today }}
{% if messages[0].role == 'system' %}{{ messages[0].content.replace('/no_think', '').rstrip() }}{% endif %}<|im_end|>
{% for message in messages %}{%- set content = message.content if message.content is string else "" -%}
{%- if message.role == "user" -%}{{ "<|im_start|>" + message.role + "\\n" + content + "<|im_end|>\\n" }}
{%- elif message.role == "assistant" -%}{% generation %}{{ "<|im_start|>assistant\\n" + "<think>\\n\\n</think>\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}{% endgeneration %}{%- endif -%}{%- endfor %}
{%- if add_generation_prompt -%}{{ "<|im_start|>assistant\\n" + "<think>\\n\\n</think>\\n" }}{%- endif -%}
"""
PHI3 = "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\\n' + message['content'] + '<|im_end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|im_end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|im_end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
LLAVA = "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + '<|im_end|>' }}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
TURNS = {
    "ChatML": TURN + OPEN, "Llama 3": LLAMA3, "Qwen2.5": QWEN2, "Llama 2": LLAMA2, "Mistral v0.3": MISTRAL3, "Qwen3": QWEN3,
    "Gemma": GEMMA, "DeepSeek R1": R1, "DeepSeek LLM": DEEPSEEK, "Vicuna": VICUNA, "OpenChat": OPENCHAT, "SmolLM3": SMOLLM3,
    "Phi 3": PHI3, "LLaVA": LLAVA,
    "thought in the generation prompt": TURN + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}",
    "thought cut off": TURN.replace("m['content']", "m['content'].split('</think>')[-1]") + OPEN + "{% if add_generation_prompt %}<think>\n{% endif %}",
    "empty thought": TURN.replace("{{ m['content'] }}", "{% if m['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}") + OPEN,
    "spaces": TURN.replace("m['content']", "' ' + m['content'] + ' '") + OPEN,
    "trimmed": TURN.replace("m['content']", "m['content'] | trim") + OPEN,
    "trimmed at the end": TURN.replace("m['content']", "m['content'].rstrip()") + OPEN,
    "no generation prompt": TURN,
    "space in the generation prompt": DEEPSEEK.replace("'Assistant:'", "'Assistant: '"),
    "parts": TURN.replace("{{ m['content'] }}", PARTS) + OPEN,
    "parts of the user": TURN.replace("{{ m['content'] }}", "{% if m['role'] == 'user' %}" + PARTS + "{% else %}{{ m['content'] + '' }}{% endif %}") + OPEN,
    "texts or parts": TURN.replace("{{ m['content'] }}", "{% if m['content'] is string %}{{ m['content'] }}{% else %}" + PARTS + "{% endif %}") + OPEN,
    "first part": TURN.replace("m['content']", "m['content'][0]['text']") + OPEN,
}


def rendered_turns():
    """What each template makes of a question and an answer, and of the question alone."""
    texts = [("Which colour?\nA. red\nB. blue", "B. blue"), (" caf\u00e9 </s> \n", " yes \n"), ("\u0301x", "")]
    result = []
    for name, source in TURNS.items():
        cases = []
        for system in (None, "Be a pirate."):
            for user, answer in texts:
                # As for the program: texts, unless the template needs parts.
                for forms in ((str, str, str), (list, list, list), (str, list, str)):
                    content = lambda text, form: text if form is str else [{"type": "text", "text": text}]
                    head = [] if system is None else [{"role": "system", "content": content(system, forms[0])}]
                    head.append({"role": "user", "content": content(user, forms[1])})
                    known = {"bos_token": "<s>", "eos_token": "<|im_end|>"}
                    pair = head + [{"role": "assistant", "content": content(answer, forms[2])}]
                    whole = render(source, {"messages": pair, "add_generation_prompt": False, **known})
                    open_ = render(source, {"messages": head, "add_generation_prompt": True, **known})
                    if user.strip() in whole.get("expected", ""):
                        break
                cases.append({"system": system, "user": user, "answer": answer, "pair": whole.get("expected"), "generation": open_.get("expected")})
        result.append({"name": name, "source": source, "cases": cases})
    return result
