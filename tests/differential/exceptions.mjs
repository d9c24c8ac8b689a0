// Known differences of iam-simulate from AWS's documentation. Each exception has the rule, the page, and a test that
// recognizes the part of a statement for which the two differ.

const GUIDE = 'https://docs.aws.amazon.com/IAM/latest/UserGuide/'

export const UNKNOWN_ACTION = 'actions that its data does not know'
export const WILDCARD_REQUEST = 'requests on repository/*'

const VARIABLE = /\$\{([^*?$][^}]*)\}/g

const MULTIVALUED = /^aws:(tagkeys|calledvia|(principal|resource|source|vpce)orgpaths|principalservicenameslist)$|:amr$/i

/** The keys of the variables in the texts. */
const variables = (texts) =>
  texts.flatMap((text) => [...text.matchAll(VARIABLE)].map(([, inside]) => inside.split(',')[0].trim()))

const valuesOf = (context, name) =>
  Object.entries(context).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1] ?? []

const isShort = (arn) => arn !== '*' && arn.replace(VARIABLE, '').split(':').length < 6

const isSeconds = (text) => /^\d+$/.test(text)

/** The W3C's profile of ISO 8601. */
const isDate = (text) => /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/.test(text)

const EXCEPTIONS = [
  {
    name: 'keys that are dropped',
    rule: 'A key of the session is in the requests to every service. iam-simulate drops keys that its data does not list for the action.',
    page: 'reference_policies_condition-keys.html',
    recognises: ({ resources, condition, part }, { ignored }) => {
      const asked = part === 'resource' ? variables(resources) : [condition?.key, ...variables(condition?.values ?? [])]
      return asked.some((key) => ignored.some((one) => one.toLowerCase() === key?.toLowerCase()))
    }
  },
  {
    name: 'variables without Version 2012-10-17',
    rule: 'Without Version 2012-10-17 `${…}` is literal text. iam-simulate replaces it with a value.',
    page: 'reference_policies_elements_version.html',
    recognises: ({ part, resources, condition, variables: known }) =>
      !known && (part === 'resource' ? resources : (condition?.values ?? [])).some((text) => text.includes('${'))
  },
  {
    name: '${*}, ${?}, ${$} under String…Equals',
    rule: 'They stand for the character. iam-simulate reads them as literal text if the operator has no wildcards.',
    page: 'reference_policies_variables.html#policy-vars-specialchars',
    recognises: ({ condition }) =>
      /String(Not)?Equals/.test(condition?.operator) && condition.values.some((value) => /\$\{[*?$]\}/.test(value))
  },
  {
    name: 'empty values of variables',
    rule: 'A tag may be empty, and then its variable is empty. iam-simulate reads that as a missing key.',
    page: 'reference_policies_variables.html',
    recognises: ({ part, resources, condition }, { context }) =>
      variables(part === 'resource' ? resources : (condition?.values ?? [])).some((key) =>
        valuesOf(context, key).includes('')
      )
  },
  {
    name: 'unresolved variables under negated operators',
    rule: 'A value whose variable has no value equals nothing, so a negated operator holds. In iam-simulate it does not hold.',
    page: 'reference_policies_variables.html#policy-vars-no-value',
    recognises: ({ condition }, { context }) =>
      /Not/.test(condition?.operator) && variables(condition.values).some((key) => valuesOf(context, key).length === 0)
  },
  {
    name: 'short ARNs in NotResource',
    rule: 'A short ARN is completed with wildcards, in NotResource too. iam-simulate excludes more resources with it.',
    page: 'reference_policies_elements_resource.html',
    recognises: ({ part, statement, resources, matches }) =>
      part === 'resource' && 'NotResource' in statement && !matches && resources.some(isShort)
  },
  {
    name: 'texts of booleans',
    rule: 'Under Bool, `true` in any letter case is true and every other text is false. iam-simulate knows `true` and `false` only.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_Boolean',
    recognises: ({ condition }, { context }) =>
      /Bool/.test(condition?.operator) &&
      [...condition.values, ...valuesOf(context, condition.key)].some((text) => !/^(true|false)$/.test(text))
  },
  {
    name: 'texts under Null',
    rule: 'Under Null, `true` in any letter case asks for absence and every other text for presence. iam-simulate knows `true` and `false` only.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_Null',
    recognises: ({ condition }) =>
      condition?.operator === 'Null' && condition.values.some((text) => !/^(true|false)$/.test(text))
  },
  {
    name: 'networks with leading zeros',
    rule: '192.000.002.0/24 is 192.0.2.0/24. iam-simulate cannot read it.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_IPAddress',
    recognises: ({ condition }) =>
      /IpAddress/.test(condition?.operator) && condition.values.some((value) => /(^|\.)0\d/.test(value))
  },
  {
    name: 'networks of /0',
    rule: '0.0.0.0/0 is every IPv4 address. iam-simulate reads it as the one address 0.0.0.0.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_IPAddress',
    recognises: ({ condition }) =>
      /IpAddress/.test(condition?.operator) && condition.values.some((value) => /^[\d.]+\/0$/.test(value))
  },
  {
    name: 'IPv6 addresses that end in ::',
    rule: '2001:db8:: is an address (RFC 4291). iam-simulate cannot read it, and then NotIpAddress matches nothing.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_IPAddress',
    recognises: ({ condition }, { context }) =>
      /IpAddress/.test(condition?.operator) && valuesOf(context, condition.key).some((value) => value.endsWith('::'))
  },
  {
    name: 'BinaryEquals',
    rule: 'The policy holds the bytes in Base64. iam-simulate compares the two texts.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_BinaryEquals',
    recognises: ({ condition }) => /BinaryEquals/.test(condition?.operator)
  },
  {
    name: 'seconds beside dates',
    rule: 'Dates may be written as seconds since 1970. iam-simulate compares them with the milliseconds of other dates.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_Date',
    recognises: ({ condition }, { context }) => {
      if (!/Date/.test(condition?.operator)) {
        return false
      }
      const texts = [...condition.values, ...valuesOf(context, condition.key)]
      return texts.some(isSeconds) && !texts.every(isSeconds)
    }
  },
  {
    name: 'numbers of JavaScript',
    rule: 'A number is the whole text, and may have an exponent. iam-simulate reads 1e1 as 1, and 010.0.0.1 as 10.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_Numeric',
    recognises: ({ condition }, { context }) => {
      const texts = [...(condition?.values ?? []), ...valuesOf(context, condition?.key ?? '')]
      const read = (text) => (text.includes('.') ? Number.parseFloat(text) : Number.parseInt(text, 10))
      const isOther = (text) => !Number.isNaN(read(text)) && read(text) !== Number(text)
      return /Numeric/.test(condition?.operator) && texts.some(isOther)
    }
  },
  {
    name: 'dates of JavaScript',
    rule: 'A date has the form of the W3C. iam-simulate also reads other texts as dates, such as 203001-01.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_Date',
    recognises: ({ condition }, { context }) => {
      const texts = [...(condition?.values ?? []), ...valuesOf(context, condition?.key ?? '')]
      const isOther = (text) => !isSeconds(text) && !isDate(text) && !Number.isNaN(Date.parse(text))
      return /Date/.test(condition?.operator) && texts.some(isOther)
    }
  },
  {
    name: 'ForAnyValue:…IfExists without the key',
    rule: 'With IfExists a missing key makes the condition true. iam-simulate applies ForAnyValue first.',
    page: 'reference_policies_elements_condition_operators.html#Conditions_IfExists',
    recognises: ({ condition }, { context }) =>
      /^ForAnyValue:.*IfExists$/.test(condition?.operator) && valuesOf(context, condition.key).length === 0
  },
  {
    name: 'multivalued keys without a set operator',
    rule: 'They need a set operator. It is not documented that a single value fails without one. In iam-simulate it fails.',
    page: 'reference_policies_condition-single-vs-multi-valued-context-keys.html',
    recognises: ({ condition }) => MULTIVALUED.test(condition?.key) && !condition.operator.includes(':')
  },
  {
    name: 'colons of variables in ARNs',
    rule: 'The colon in `${aws:PrincipalAccount}` does not end a field of the ARN. iam-simulate splits there.',
    page: 'reference_policies_variables.html',
    recognises: ({ condition }) =>
      /Arn/.test(condition?.operator) && condition.values.some((value) => /^([^:]*:){0,4}\$\{[^}]*:/.test(value))
  },
  {
    name: 'wildcards before the first /',
    rule: 'A `*` may stand for the whole last field. iam-simulate reads the part before the first `/` literally.',
    page: 'reference-arns.html',
    recognises: ({ part, resources }) =>
      part === 'resource' && resources.some((arn) => /^([^:]*:){5}[^/]*[*?]/.test(arn))
  }
]

/** The exception under which a difference falls. */
export function exceptionOf(difference, { context }, ignored) {
  const exception = EXCEPTIONS.find(({ recognises }) => recognises(difference, { context, ignored }))
  return exception && `${exception.name} (${exception.page.split(/[.#]/)[0]})`
}
