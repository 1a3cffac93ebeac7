// Asks the simulator everything that it serves, with the official JavaScript client, unchanged.
//
// The client checks each answer against its own types before it hands it out. Prints one JSON
// object: for each name below what the client made of the answer, or the error that it threw.
// Reads: SIM_URL (…/api/v1), SIM_KEY, SIM_MANAGEMENT_KEY, MODEL, PROMPT, BROKEN, ERRORS.

import { OpenRouter } from "@openrouter/sdk";
import * as z from "zod";

const { SIM_URL, SIM_KEY, SIM_MANAGEMENT_KEY, MODEL, PROMPT } = process.env;
const [author, slug] = MODEL.split("/");
const messages = [{ role: "user", content: PROMPT }];
const options = { serverURL: SIM_URL, retryConfig: { strategy: "none" } };
const user = new OpenRouter({ apiKey: SIM_KEY, ...options });
const manager = new OpenRouter({ apiKey: SIM_MANAGEMENT_KEY, ...options });

const Person = z.strictObject({ name: z.string(), age: z.int().min(0) });
const responseFormat = {
  type: "json_schema",
  jsonSchema: { name: "person", strict: true, schema: z.toJSONSchema(Person) },
};
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
};

const send = (fields) =>
  user.chat.send({ chatRequest: { model: MODEL, messages, stream: false, ...fields } });

async function stream(fields) {
  const events = await send({ ...fields, stream: true });
  const chunks = [];
  for await (const chunk of events) chunks.push(chunk);
  return chunks;
}

async function pages(iterator) {
  const found = [];
  for await (const page of await iterator) found.push(...page.result.data);
  return found;
}

async function calls() {
  const question = [{ role: "user", content: "What is the weather in Paris like?" }];
  const asked = await send({ messages: question, tools: [weather], toolChoice: "required" });
  const { message } = asked.choices[0];
  const results = message.toolCalls.map((call) => ({
    role: "tool",
    toolCallId: call.id,
    content: '{"sky": "clear"}',
  }));
  const told = await send({ messages: [...question, message, ...results], tools: [weather] });
  const streamed = await stream({ messages: question, tools: [weather], toolChoice: "required" });
  return { asked, told, streamed };
}

async function structured() {
  const result = await send({ responseFormat });
  return { result, person: Person.parse(JSON.parse(result.choices[0].message.content)) };
}

async function generation() {
  const { id, usage } = await send({});
  const told = await user.generations.getGeneration({ id });
  return { usage, told, content: await user.generations.listGenerationContent({ id }) };
}

async function keys() {
  const fields = { name: "a new one", limit: 5, limitReset: "monthly" };
  const made = await manager.apiKeys.create({ requestBody: fields });
  const { hash } = made.data;
  const renamed = { hash, requestBody: { name: "another name", disabled: true } };
  return {
    made,
    read: await manager.apiKeys.get({ hash }),
    changed: await manager.apiKeys.update(renamed),
    listed: await manager.apiKeys.list({ includeDisabled: true }),
    deleted: await manager.apiKeys.delete({ hash }),
  };
}

const embed = (encodingFormat) =>
  user.embeddings.generate({
    requestBody: { model: "openai/text-embedding-3-small", input: ["a", "b c"], encodingFormat },
  });

const asks = {
  chat: () => send({}),
  stream: () => stream({}),
  reasoning: () => send({ model: "deepseek/deepseek-r1-0528" }),
  calls,
  structured,
  logprobs: () => send({ logprobs: true, topLogprobs: 2 }),
  generation,
  key: () => user.apiKeys.getCurrentKeyMetadata(),
  keys,
  credits: () => manager.credits.getCredits(),
  activity: () => manager.analytics.getUserActivity(),
  models: () => pages(user.models.list()),
  model: () => user.models.get({ author, slug }),
  count: () => user.models.count(),
  own: () => pages(user.models.listForUser({ bearer: SIM_KEY })),
  endpoints: () => user.endpoints.list({ author, slug }),
  providers: () => user.providers.list(),
  embedders: () => pages(user.embeddings.listModels()),
  floats: () => embed("float"),
  base64: () => embed("base64"),
  stranger: () => new OpenRouter({ apiKey: "sk-or-v1-0", ...options }).chat.send({
    chatRequest: { model: MODEL, messages },
  }),
  unknown: () => send({ model: "nobody/nothing" }),
};
// Models which the test's world lets fail, by the name of the fault.
for (const [name, model] of Object.entries(JSON.parse(process.env.ERRORS))) {
  asks[name] = () => send({ model });
}
asks.broken = () => stream({ model: process.env.BROKEN });

const told = {};
for (const [name, ask] of Object.entries(asks)) {
  try {
    told[name] = { answer: await ask() };
  } catch (error) {
    const { statusCode, message, rawMessage, cause } = error;
    const reason = cause === undefined ? undefined : String(cause);
    told[name] = { error: { name: error.name, statusCode, message, rawMessage, reason } };
  }
}
process.stdout.write(JSON.stringify(told));
