// Asks iam-simulate about requests and compares the answers. README.md describes the comparison and the standard input.
//
// Exit status: 0 if there are only agreements and exceptions, 1 if there is a disagreement.

import { createInterface } from 'node:readline'
import { createValidatedPolicy, validateIdentityPolicy } from '@cloud-copilot/iam-policy'
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { exceptionOf, UNKNOWN_ACTION, WILDCARD_REQUEST } from './exceptions.mjs'

const SHOWN = 12

const GRAMMATICAL_ACTION = /^([a-z0-9-]+:[^\s,:]+|\*)$/i

const asList = (value) => (Array.isArray(value) ? value : [value])

/** A statement without the actions that the grammar does not permit. In one of their readings they match nothing. */
function grammatical(statement) {
  const name = 'Action' in statement ? 'Action' : 'NotAction'
  return { ...statement, [name]: asList(statement[name]).filter((entry) => GRAMMATICAL_ACTION.test(entry)) }
}

/** A policy, validated once for all requests. */
function prepared({ name, policy }) {
  const document = { ...policy, Statement: asList(policy.Statement).map(grammatical) }
  return { name, policy: createValidatedPolicy(document, validateIdentityPolicy, { name }) }
}

/** The statements of a policy, split into parts in the order of their `matches`. */
function statementsOf({ name, policy }) {
  return asList(policy.Statement).map((statement, index) => ({
    policy: name,
    index,
    variables: policy.Version === '2012-10-17',
    statement,
    resources: asList(statement.Resource ?? statement.NotResource),
    conditions: Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, values]) => ({ operator, key, values: asList(values).map(String) }))
    )
  }))
}

function readRole(line) {
  const { seed, arn, policies, boundary, requests } = JSON.parse(line)
  const documents = [...policies, ...asList(boundary ?? [])]
  return {
    seed,
    arn,
    requests,
    identityPolicies: policies.map(prepared),
    permissionBoundaryPolicies: boundary ? [prepared(boundary)] : undefined,
    statements: documents.flatMap(statementsOf),
    text: JSON.stringify(documents).toLowerCase()
  }
}

function simulated(role, request) {
  // A key without values is a missing key. A key that no policy mentions does not matter.
  const matters = ([key, values]) => values.length > 0 && role.text.includes(key.toLowerCase())
  return runSimulation(
    {
      request: {
        principal: role.arn,
        action: request.action,
        // Identity-based policies do not depend on the owner of the resource. Policies of another account are not compared.
        resource: { resource: request.resource, accountId: role.arn.split(':')[4] },
        contextVariables: Object.fromEntries(Object.entries(request.context).filter(matters))
      },
      identityPolicies: role.identityPolicies,
      permissionBoundaryPolicies: role.permissionBoundaryPolicies,
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    { simulationMode: 'Strict' }
  )
}

/** The parts of statements for which the simulation gives the opposite of an answer that is the same in all readings. */
function differences(role, request, result) {
  const { identityAnalysis, permissionBoundaryAnalysis } = result.analysis
  const analysed = [identityAnalysis, permissionBoundaryAnalysis].flatMap((one) =>
    one ? [...one.allowStatements, ...one.denyStatements, ...one.unmatchedStatements] : []
  )
  return role.statements.flatMap((about, at) => {
    const certain = request.matches[at]
    // iam-simulate counts statements from 1.
    const theirs = analysed.find((one) => one.policyId === about.policy && one.statement.index() === about.index + 1)
    const conditions = (theirs.explain.conditions ?? []).map(({ matches }) => matches)
    const says = [theirs.actionMatch, theirs.resourceMatch, ...conditions]
    if (says.length !== certain.length) {
      throw new Error(`${about.policy}[${about.index}]: ${says.length} answers, and ${certain.length} expected`)
    }
    if (certain[0] === 'N' && !says[0]) {
      return []
    }
    return says.flatMap((matches, part) =>
      certain[part] === (matches ? 'N' : 'Y')
        ? [{ ...about, part: ['action', 'resource'][part] ?? 'condition', condition: about.conditions[part - 2], matches }]
        : []
    )
  })
}

const tally = { roles: 0, witnesses: 0, confirmed: 0, probes: 0, refused: 0, exceptions: new Map(), disagreements: [] }

function except(name, request) {
  const counts = tally.exceptions.get(name) ?? { witnesses: 0, probes: 0 }
  counts[request.permitted ? 'witnesses' : 'probes'] += 1
  tally.exceptions.set(name, counts)
}

async function compare(role, request) {
  tally[request.permitted ? 'witnesses' : 'probes'] += 1
  const result = await simulated(role, request)
  if (result.errors?.message === 'invalid.action') {
    return except(UNKNOWN_ACTION, request)
  }
  if (result.resultType === 'error') {
    throw new Error(`seed ${role.seed}, ${request.action} on ${request.resource}: ${JSON.stringify(result.errors)}`)
  }
  const allowed = result.overallResult === 'Allowed'
  if (allowed === request.permitted) {
    tally[allowed ? 'confirmed' : 'refused'] += 1
    return
  }
  if (result.resultType === 'wildcard') {
    return except(WILDCARD_REQUEST, request)
  }
  const different = differences(role, request, result.result)
  const names = different.map((one) => exceptionOf(one, request, result.result.ignoredContextKeys))
  if (names.length > 0 && names.every(Boolean)) {
    new Set(names).forEach((name) => except(name, request))
    return
  }
  tally.disagreements.push({ seed: role.seed, allowed, request, different: different.filter((_, at) => !names[at]) })
}

function show({ seed, allowed, request, different }) {
  const places = different.map(({ policy, index, part, condition, matches, statement }) => {
    const what = condition ?? statement
    return `    ${policy}[${index}], ${part}: ${matches ? 'matches' : 'does not match'} there\n      ${JSON.stringify(what)}`
  })
  return [
    `seed ${seed}: ${allowed ? 'allowed there and missing in the report' : 'reported and refused there'}: ${request.action}`,
    `    on ${request.resource} with ${JSON.stringify(request.context)}`,
    ...(places.length > 0 ? places : ['    no statement differs'])
  ].join('\n')
}

for await (const line of createInterface({ input: process.stdin })) {
  const role = readRole(line)
  tally.roles += 1
  for (const request of role.requests) {
    await compare(role, request)
  }
}

const exceptions = [...tally.exceptions].sort(([a], [b]) => (a < b ? -1 : 1))
console.log(`iam-simulate on ${tally.roles} roles`)
console.log(`  requests of the report: ${tally.confirmed} of ${tally.witnesses} confirmed`)
console.log(`  random requests for other actions: ${tally.refused} of ${tally.probes} refused there too`)
console.log('  known exceptions (of the report, random):')
for (const [name, { witnesses, probes }] of exceptions) {
  console.log(`    ${String(witnesses).padStart(6)} ${String(probes).padStart(6)}  ${name}`)
}
console.log(`  disagreements: ${tally.disagreements.length}`)
for (const disagreement of tally.disagreements.slice(0, SHOWN)) {
  console.log(show(disagreement))
}
process.exitCode = tally.disagreements.length > 0 ? 1 : 0
