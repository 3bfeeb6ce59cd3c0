/** The tabs that GraphiQL opens with. Each operation's name is its tab's title; a test holds them against the schema. */
export interface Example {
  title: 'Upload' | 'Watch' | 'Search' | 'Similar';
  query: string;
  variables: Record<string, unknown>;
}

/** Also what the upload bar above GraphiQL sends, with the chosen files in `files`. */
export const uploadExample: Example = {
  title: 'Upload',
  query: `# GraphiQL cannot attach files: choose them in the bar above, which sends exactly this operation.
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
  query: `# Press play, then upload pictures: every event of their jobs appears here, live.
# With jobIds: every event of these jobs from their beginning, until all of them have ended.
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
  query: `# By words, by colour, or by both. Leave either out.
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
  query: `# The id comes from an upload (the bar above has a link for it) or from the tab Search.
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
  variables: { imageId: '' },
};

export const examples: readonly Example[] = [uploadExample, watchExample, searchExample, similarExample];
