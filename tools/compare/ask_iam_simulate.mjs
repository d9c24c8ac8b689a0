// Asks iam-simulate whether the roles can send the requests, the first that it allows.
//
// `node ask_iam_simulate.mjs Strict|Discovery` reads the lines that `compare.py` writes from the standard input, and
// writes an object per line: `{"role", "reported", "error"}`.
//
// Strict: each request, with the context keys that every request carries.
// Discovery: each action on all repositories of the account. In this mode a condition on an unknown key counts as met.
// The known keys are those of iam-lens, a tool by the same author, except the time: a request may come later.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(new URL('../../tests/differential/', import.meta.url))
const { runSimulation } = require('@cloud-copilot/iam-simulate')
const { createValidatedPolicy, validateIdentityPolicy } = require('@cloud-copilot/iam-policy')

const AT = '2027-01-15T08:00:00Z'

// What iam-lens knows of each request; a key that is not in the context is known to be absent.
const KNOWN = [
  'aws:SecureTransport',
  'aws:CurrentTime',
  'aws:EpochTime',
  'aws:PrincipalArn',
  'aws:PrincipalAccount',
  'aws:PrincipalType',
  'aws:username',
  'aws:ResourceAccount',
  'aws:PrincipalIsAWSService',
  'aws:PrincipalServiceName',
  'aws:AssumedRoot'
]

const TIMES = ['aws:CurrentTime', 'aws:EpochTime']

const mode = process.argv[2]

function prepared(name, document) {
  return { name, policy: createValidatedPolicy(document, validateIdentityPolicy, { name }) }
}

function readRole({ details }) {
  const [role] = details.RoleDetailList
  const managed = (arn) => {
    const { PolicyVersionList } = details.Policies.find(({ Arn }) => Arn === arn)
    return prepared(arn, PolicyVersionList.find(({ IsDefaultVersion }) => IsDefaultVersion).Document)
  }
  const boundary = role.PermissionsBoundary?.PermissionsBoundaryArn
  return {
    arn: role.Arn,
    id: role.RoleId,
    account: role.Arn.split(':')[4],
    tags: role.Tags ?? [],
    identityPolicies: [
      ...(role.RolePolicyList ?? []).map(({ PolicyName, PolicyDocument }) => prepared(PolicyName, PolicyDocument)),
      ...role.AttachedManagedPolicies.map(({ PolicyArn }) => managed(PolicyArn))
    ],
    permissionBoundaryPolicies: boundary ? [managed(boundary)] : undefined
  }
}

/** What else every request carries. */
function carried(role, resource) {
  return {
    'aws:RequestedRegion': resource.split(':')[3] || 'us-east-1',
    'aws:TokenIssueTime': AT,
    'aws:UserAgent': 'docker/1',
    'aws:ViaAWSService': 'false',
    'aws:userid': `${role.id}:i-0123456789abcdef0`
  }
}

async function allowed(role, action, resource) {
  const tags = Object.fromEntries(role.tags.map(({ Key, Value }) => [`aws:PrincipalTag/${Key}`, Value]))
  const contextVariables = {
    'aws:SecureTransport': 'true',
    'aws:CurrentTime': AT,
    'aws:EpochTime': String(Date.parse(AT) / 1000),
    'aws:PrincipalArn': role.arn,
    'aws:PrincipalAccount': role.account,
    'aws:PrincipalType': 'AssumedRole',
    'aws:PrincipalIsAWSService': 'false',
    'aws:ResourceAccount': role.account,
    ...tags,
    ...(mode === 'Strict' ? carried(role, resource) : {})
  }
  const result = await runSimulation(
    {
      request: { principal: role.arn, action, resource: { resource, accountId: role.account }, contextVariables },
      identityPolicies: role.identityPolicies,
      permissionBoundaryPolicies: role.permissionBoundaryPolicies,
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    {
      simulationMode: mode,
      discoveryContextKeyConstraints: [...KNOWN, ...Object.keys(tags)].map((keyName) => ({
        keyName,
        presenceIsKnown: true,
        valueIsKnown: !TIMES.includes(keyName)
      }))
    }
  )
  // Its data is older than this action.
  if (result.errors?.message === 'invalid.action') {
    return false
  }
  if (result.resultType === 'error') {
    throw new Error(JSON.stringify(result.errors))
  }
  return result.overallResult === 'Allowed'
}

/** One request per action, on every resource of its type. */
function widened(requests) {
  const widen = (resource) =>
    resource
      .replace(/^(arn:aws:ecr):.*?:(.*?):.*/, '$1:*:$2:repository/*')
      .replace(/^(arn:aws:ecr-public::.*?:repository\/).*/, '$1*')
  const wide = requests.map(([action, resource]) => [action, widen(resource)])
  return [...new Map(wide.map((request) => [request.join(' '), request])).values()]
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  const answer = { role: asked.role, reported: null, error: null }
  try {
    const role = readRole(asked)
    for (const [action, resource] of mode === 'Discovery' ? widened(asked.requests) : asked.requests) {
      if (await allowed(role, action, resource)) {
        answer.reported = [action, resource]
        break
      }
    }
  } catch (problem) {
    answer.error = problem.message
  }
  console.log(JSON.stringify(answer))
}
