// Holds answers to their schemas in an OpenAPI 3.1 document, with ajv: `node validate.mjs DOCUMENT ANSWERS`. Each line of ANSWERS
// is a JSON object: path (as the document has it), method, status, type, body (the text as it was answered).
import { readFileSync } from 'node:fs'
import Ajv from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

const [document, answers] = process.argv.slice(2)
// OpenAPI's own words (`discriminator`, `example`) are none of JSON Schema's.
const ajv = new Ajv({ strict: false, allErrors: true })
addFormats(ajv)
// OpenAPI's registry of formats: a fixed-point number of any size.
ajv.addFormat('decimal', { type: 'number', validate: () => true })
ajv.addSchema(JSON.parse(readFileSync(document, 'utf8')), 'document')

const parts = (pointer) => pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
const compiled = new Map()
const openapi = ajv.getSchema('document').schema
function validator({ path, method, status, type }) {
    const key = `${method} ${path} ${status} ${type}`
    if (!compiled.has(key)) {
        const operation = ['paths', path, method, 'responses', status]
        let answer = operation.reduce((value, part) => value?.[part], openapi)
        let pointer = operation
        if (answer?.$ref) {
            pointer = answer.$ref.slice(2).split('/')
            answer = pointer.reduce((value, part) => value?.[part], openapi)
        }
        if (!answer?.content?.[type]?.schema) throw new Error(`the document has no ${key}`)
        compiled.set(key, ajv.compile({ $ref: `document#/${parts([...pointer, 'content', type, 'schema'])}` }))
    }
    return compiled.get(key)
}

let count = 0
let refused = 0
for (const line of readFileSync(answers, 'utf8').split('\n').filter(Boolean)) {
    const answer = JSON.parse(line)
    const validate = validator(answer)
    count += 1
    if (!validate(JSON.parse(answer.body))) {
        refused += 1
        console.error(`${answer.method} ${answer.path}: ${ajv.errorsText(validate.errors.slice(0, 3))}`)
        // Enough to know what is wrong.
        if (refused === 3) break
    }
}
console.log(`ajv: ${count} answers, ${refused} refused`)
process.exit(refused === 0 && count > 0 ? 0 : 1)
