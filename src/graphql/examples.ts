/** The tabs that GraphiQL opens with. Each operation's name is its tab's title; a test holds them against the schema. */
export interface Example {
  title: 'Upload' | 'Watch' | 'Search' | 'Similar' | 'CutOut' | 'Generate';
  query: string;
  variables: Record<string, unknown>;
}

/** What stands in the variables until there is one. */
const noId = 'the id of a picture';

/** Also what the upload bar above GraphiQL sends, with the chosen files in `files`. */
export const uploadExample: Example = {
  title: 'Upload',
  query: `# The play button cannot attach files: choose
# pictures in the bar above and press Upload
# there, which sends exactly this with them.
mutation Upload($files: [File!]!, $options: UploadOptions) {
  uploadImages(files: $files, options: $options) {
    results {
      ... on UploadedImage {
        index
        filename
        alreadyStored
        image { id width height url { url } }
        jobs { id status }
      }
      ... on RefusedFile {
        index
        filename
        code
        message
        hint
      }
    }
  }
}
`,
  variables: { files: [], options: { run: ['ANALYZE'], tags: [] } },
};

/** Its variable `jobIds` is filled in by the upload bar; without it everything that happens is shown. */
export const watchExample: Example = {
  title: 'Watch',
  query: `# Press play, then upload pictures: every event
# of their jobs appears here, live. With jobIds:
# every event of these jobs from their beginning,
# until all of them have ended.
subscription Watch($jobIds: [ID!]) {
  jobEvents(jobIds: $jobIds) {
    cursor
    status
    progress
    stage
    job {
      id
      operation { name }
      inputs { id filename }
      failure { code message hint }
    }
  }
}
`,
  variables: { jobIds: null },
};

const searchExample: Example = {
  title: 'Search',
  query: `# By words, by colour, or by both.
# Leave either out.
query Search($words: String, $filter: ImageFilter) {
  searchImages(query: $words, filter: $filter, first: 20) {
    totalCount
    edges {
      score
      matchedBy
      highlight
      node {
        id
        filename
        rendition(width: 320) { url }
        analysis {
          caption { text }
          tags { name confidence }
          colors { palette { hex name share } }
        }
      }
    }
    facets { tags(first: 10) { value count } }
  }
}
`,
  variables: { words: '', filter: { color: { near: '#cc0000', minShare: 0.05 } } },
};

/** Its variable `imageId` is filled in by the upload bar. */
export const similarExample: Example = {
  title: 'Similar',
  query: `# First put the id of a picture into imageId,
# below. For one that you upload in the bar above
# the link "similar" does it; others are in the
# tab Search.
query Similar($imageId: ID!) {
  similarImages(to: { imageId: $imageId }, minScore: 0.5, first: 20) {
    edges {
      score
      match
      node { id filename rendition(width: 320) { url } }
    }
  }
}
`,
  variables: { imageId: noId },
};

/** Its variable `imageId` is filled in by the upload bar. */
export const cutOutExample: Example = {
  title: 'CutOut',
  query: `# The subject alone, and as a 3D model. First put
# the id of a picture into imageId, below. For one
# that you upload in the bar above the link "cut
# out" does it; others are in the tab Search.
# Without waitMs the jobs are answered at once, to
# be watched.
mutation CutOut($imageId: ID!, $input: RemoveBackgroundInput, $options: JobOptions) {
  removeBackground(imageId: $imageId, input: $input, options: $options) {
    id
    status
    failure { code message hint }
    result {
      ... on RemoveBackgroundResult {
        coverage
        confidence
        cutout { id filename rendition(width: 640) { url } }
      }
    }
  }
  createModel3d(imageIds: [$imageId], options: $options) {
    id
    status
    failure { code message hint }
    result {
      ... on Model3DResult {
        models {
          ... on CreatedModel3D { model { id filename shape faceCount url { url } thumbnail { url { url } } } }
          ... on FailedModel3D { code message hint }
        }
      }
    }
  }
}
`,
  variables: { imageId: noId, input: { padding: 0.04, shadow: false }, options: { waitMs: 30_000 } },
};

const generateExample: Example = {
  title: 'Generate',
  query: `# Pictures from words: drawn by a program, or by a
# model where this server has one. Who can do it:
# { operations { name providers { name available } } }
mutation Generate($input: GenerateImagesInput!, $options: JobOptions) {
  generateImages(input: $input, options: $options) {
    id
    status
    failure { code message hint }
    result {
      ... on GenerateImagesResult {
        images {
          id
          filename
          origin { provider model seed }
          rendition(width: 640) { url }
        }
      }
    }
  }
}
`,
  variables: { input: { prompt: 'a lighthouse by the sea at dusk', count: 2, width: 1024, height: 768 }, options: { waitMs: 30_000 } },
};

export const examples: readonly Example[] = [uploadExample, watchExample, searchExample, similarExample, cutOutExample, generateExample];
