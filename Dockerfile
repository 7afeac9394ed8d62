# Temporal's native core is built against glibc: Debian, not Alpine.
FROM node:20.19.5-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Prisma's client needs the schema, which comes with the sources: `npm run build` generates it.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM node:20.19.5-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM node:20.19.5-bookworm-slim
# The roots that the Temporal core checks a TLS server against.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
# Few malloc arenas: the many threads of Temporal's core would each keep memory of their own.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules node_modules
COPY prisma/migrations prisma/migrations
COPY --from=build /app/dist dist
USER node
CMD ["node", "--max-semi-space-size=8", "--max-old-space-size=192", "dist/api/main.js"]
