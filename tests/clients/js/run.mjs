// The official JavaScript client, unchanged, against a simulator. Prints one JSON object: the name of
// each step and what came of it. Its own schemas parse every answer; what they refuse is an error.
import { OpenRouter } from "@openrouter/sdk";

const [serverURL, apiKey, managementKey] = process.argv.slice(2);
const client = new OpenRouter({ apiKey, serverURL, retryConfig: { strategy: "none" } });
const manager = new OpenRouter({
  apiKey: managementKey,
  serverURL,
  retryConfig: { strategy: "none" },
});
const model = "openai/gpt-4o-mini";
const messages = [{ role: "user", content: "What is a tide? In one sentence." }];
const tool = {
  type: "function",
  function: {
    name: "tide_at",
    description: "When the tide is high at a harbour",
    parameters: {
      type: "object",
      properties: { harbour: { type: "string" } },
      required: ["harbour"],
    },
  },
};
const schema = {
  type: "object",
  properties: { word: { type: "string" }, count: { type: "integer" } },
  required: ["word", "count"],
  additionalProperties: false,
};

const send = (chatRequest) => client.chat.send({ chatRequest: { model, messages, ...chatRequest } });

const steps = {
  async chat() {
    const answer = await send({ maxTokens: 60 });
    return {
      id: answer.id,
      text: answer.choices[0].message.content,
      finish: answer.choices[0].finishReason,
      tokens: answer.usage.totalTokens,
      cost: answer.usage.cost,
    };
  },
  async stream() {
    let text = "";
    let usage = null;
    let finish = null;
    for await (const chunk of await send({ stream: true, maxTokens: 60 })) {
      text += chunk.choices[0]?.delta?.content ?? "";
      finish = chunk.choices[0]?.finishReason ?? finish;
      usage = chunk.usage ?? usage;
    }
    return { text, finish, cost: usage?.cost };
  },
  async tools() {
    const answer = await send({ tools: [tool], toolChoice: "required" });
    const call = answer.choices[0].message.toolCalls[0];
    return { name: call.function.name, arguments: JSON.parse(call.function.arguments) };
  },
  async structured() {
    const answer = await send({
      responseFormat: { type: "json_schema", jsonSchema: { name: "count", schema, strict: true } },
    });
    return JSON.parse(answer.choices[0].message.content);
  },
  async reasoning() {
    const answer = await client.chat.send({
      chatRequest: {
        model: "deepseek/deepseek-r1-0528",
        messages,
        maxTokens: 3000,
        reasoning: { effort: "low" },
      },
    });
    return { thought: answer.choices[0].message.reasoning?.length > 0 };
  },
  async models() {
    const pages = [];
    for await (const page of await client.models.list()) {
      pages.push(...page.result.data);
      break;
    }
    return { count: pages.length, first: pages[0].id };
  },
  async model() {
    return { id: (await client.models.get({ author: "openai", slug: "gpt-4o-mini" })).data.id };
  },
  async count() {
    return (await client.models.count()).data;
  },
  async endpoints() {
    const found = await client.endpoints.list({ author: "openai", slug: "gpt-4o-mini" });
    return { count: found.data.endpoints.length };
  },
  async providers() {
    return { count: (await client.providers.list()).data.length };
  },
  async generation() {
    const answer = await send({ maxTokens: 20 });
    const found = await client.generations.getGeneration({ id: answer.id });
    return { same: found.data.id === answer.id, cost: found.data.totalCost };
  },
  async key() {
    return { label: (await client.apiKeys.getCurrentKeyMetadata()).data.label };
  },
  async keys() {
    const made = await manager.apiKeys.create({ requestBody: { name: "from JavaScript", limit: 5 } });
    const hash = made.data.hash;
    const read = await manager.apiKeys.get({ hash });
    const changed = await manager.apiKeys.update({ hash, requestBody: { disabled: true } });
    const listed = await manager.apiKeys.list({ includeDisabled: true });
    const gone = await manager.apiKeys.delete({ hash });
    return {
      name: read.data.name,
      disabled: changed.data.disabled,
      listed: listed.data.some((each) => each.hash === hash),
      deleted: gone.deleted,
    };
  },
  async credits() {
    return (await manager.credits.getCredits()).data;
  },
  async embeddings() {
    const found = await client.embeddings.generate({
      requestBody: { model: "openai/text-embedding-3-small", input: ["tide", "moon"] },
    });
    return { count: found.data.length };
  },
  async unauthorized() {
    const stranger = new OpenRouter({ apiKey: "sk-or-v1-nobody", serverURL });
    return refused(() => stranger.chat.send({ chatRequest: { model, messages } }));
  },
  async unknown_model() {
    return refused(() => send({ model: "nobody/nothing" }));
  },
  async retired_model() {
    return refused(() => send({ model: "x-ai/grok-4-fast" }));
  },
  async too_long() {
    return refused(() => send({ messages: [{ role: "user", content: "x".repeat(2_000_000) }] }));
  },
};

async function refused(call) {
  try {
    await call();
  } catch (error) {
    return { error: error.constructor.name, status: error.statusCode };
  }
  return { error: null };
}

const results = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    results[name] = await step();
  } catch (error) {
    const cause = error.cause ?? error.rawMessage ?? "";
    results[name] = { failed: `${error.constructor.name}: ${error.message}`, cause: String(cause) };
  }
}
process.stdout.write(`${JSON.stringify(results)}\n`);
